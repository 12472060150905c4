"""Which platform a session talks to, so that no target mixes the items of two."""

from __future__ import annotations

import msgspec
from yarl import URL

from itwin_async._http import urls
from itwin_async._http.credentials import Credentials
from itwin_async._http.executor import perform
from itwin_async._http.request_builder import build_request
from itwin_async.errors import ITwinError
from itwin_async.retry import Repeat, RetryPolicy
from itwin_async.session import Session, internals_of

_IDENTITY = "/_emulator/identity"
_SECONDS = 5.0
# One fault must not give a platform another name, by which its targets would be refused.
_RETRY = RetryPolicy(retries=5, rate_limit_retries=2, base=0.01)
_ANY_LOOPBACK = "local"


class _Identity(msgspec.Struct):
    platform: str


async def platform_of(session: Session) -> str:
    """
    Name the platform: by scheme and host; on loopback by host and port.

    A tunnel to production and one to QA have two ports. An emulator is found at another port each
    time, so it is asked for the name of its world; the question carries no token, and whatever else
    answers on loopback need not know it.
    """
    url = session.base_url
    if not urls.is_loopback(url.host or ""):
        return str(url.origin())
    return await _world_of(session) or str(url.origin())


def is_same(begun: str | None, wanted: str | None) -> bool:
    """
    Tell whether two names may be of one platform.

    Once, every one on loopback was called local; and an emulator whose answer was lost is known by
    its port until it is asked again.
    """
    if begun == wanted or begun is None or wanted is None:
        return begun == wanted
    if not (_is_on_loopback(begun) and _is_on_loopback(wanted)):
        return False
    return begun == _ANY_LOOPBACK or _is_emulator(begun) != _is_emulator(wanted)


def _is_on_loopback(name: str) -> bool:
    return urls.is_loopback(URL(name).host or "127.0.0.1")


def _is_emulator(name: str) -> bool:
    return name.startswith("emulator ")


async def _world_of(session: Session) -> str | None:
    internals = internals_of(session.with_options(retry=_RETRY, timeout=_SECONDS))
    client, options = internals.client, internals.options
    request = build_request(
        client, "GET", _IDENTITY, params=(), json=None, body=None, accept="*/*", headers=None
    )
    deadline = client.retry.clock() + _SECONDS
    try:
        answer = await perform(
            client, Credentials.of(None), request, Repeat.SAFE, deadline, options
        )
        return msgspec.json.decode(answer.body, type=_Identity).platform
    except (ITwinError, msgspec.DecodeError, UnicodeDecodeError):
        return None
