"""What a view of a session may have of its own: time-outs, retries, priority."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from ssl import SSLContext
from typing import TypeAlias, TypedDict

import aiohttp
import attrs
from yarl import URL

from itwin_async._arguments import instance, invalid, whole
from itwin_async.errors import ArgumentError
from itwin_async.retry import RetryPolicy
from itwin_async.timeout import Timeout

_MOST = 10

Tls: TypeAlias = SSLContext | aiohttp.Fingerprint | bool


class RequestOptions(TypedDict, total=False):
    """What is said to aiohttp with every request."""

    allow_redirects: bool
    raise_for_status: bool
    timeout: aiohttp.ClientTimeout
    ssl: Tls
    proxy: str | URL | None
    auto_decompress: bool
    read_bufsize: int


@attrs.frozen(eq=False)
class CallOptions:
    """
    How calls are made.

    Attributes:
        timeout: limits in seconds.
        retry: when and how failed requests are repeated.
        http: what is said to aiohttp with every request.
        storage: the same for requests to a storage host.
        priority: those of a higher one go first where calls wait.

    """

    timeout: Timeout
    retry: RetryPolicy
    http: RequestOptions
    storage: RequestOptions
    priority: int = 0


def own_options(
    base: CallOptions,
    timeout: Timeout | float | None,
    retry: RetryPolicy | None,
    priority: int | None,
) -> CallOptions:
    """
    Change some of the options; what is ``None`` stays, and so do the clocks.

    Raises:
        ArgumentError: an option has a wrong type or value.

    """
    chosen, http, storage = base.timeout, base.http, base.storage
    if timeout is not None:
        chosen = checked_timeout(timeout, chosen)
        if chosen.connect != base.timeout.connect:
            limits = aiohttp.ClientTimeout(total=None, sock_connect=chosen.connect)
            http, storage = http.copy(), storage.copy()
            http["timeout"] = storage["timeout"] = limits
    policy = base.retry if retry is None else _on_clocks_of(base.retry, retry)
    if priority is None:
        priority = base.priority
    else:
        whole("priority", priority, -_MOST, _MOST)
    return CallOptions(chosen, policy, http, storage, priority)


def _on_clocks_of(shared: RetryPolicy, given: RetryPolicy) -> RetryPolicy:
    own = instance("retry", given, RetryPolicy, "a RetryPolicy or None")
    clock, sleep, now = shared.clock, shared.sleep, shared.now
    if own.clock is clock and own.sleep is sleep and own.now is now:
        return own
    return attrs.evolve(own, clock=clock, sleep=sleep, now=now)


def checked_timeout(value: object, base: Timeout) -> Timeout:
    """Make limits of what a caller gives: a number is the total, the others are those of base."""
    if isinstance(value, Timeout):
        return value
    if isinstance(value, int | float):
        with suppress(ArgumentError):
            return _with_total(value, base)
    raise invalid("timeout", value, "a number of seconds above 0, or a Timeout")


@lru_cache(maxsize=64, typed=True)  # views are made for single calls
def _with_total(total: float, base: Timeout) -> Timeout:
    return attrs.evolve(base, total=total)
