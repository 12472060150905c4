"""``itwin-async harvest TARGET --dask ADDRESS``: the workers of a cluster read the lists."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from functools import partial
from typing import TypedDict, Unpack

from itwin_async import harvest as bulk
from itwin_async.cli.runtime import Options, log_requests
from itwin_async.errors import ConfigurationError
from itwin_async.harvest.progress import OnProgress
from itwin_async.retry import RetryPolicy
from itwin_async.session import Session

_SECONDS = 10.0


class How(TypedDict):
    """How lists are read, here or by a cluster."""

    concurrency: int
    page_size: int
    fail_fast: bool
    on_progress: OnProgress
    wait_for_server: float


async def distribute(
    address: str,
    sources: Sequence[bulk.Source[object]],
    target: str,
    options: Options,
    retry: RetryPolicy | None,
    **how: Unpack[How],
) -> bulk.Report:
    """
    Harvest with a cluster.

    Raises:
        ConfigurationError: no scheduler is there, or the extra is missing.

    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ConfigurationError("--dask needs an extra: pip install 'itwin-async[dask]'") from None
    log_requests(options)
    options.prepare()
    make = partial(Session.from_env, quotas=options.of_operations, retry=retry)
    if options.base_url:
        make = partial(make, base_url=options.base_url)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # errors are told in one line
    try:
        client = await Client(address, asynchronous=True, timeout=_SECONDS)
    except (TimeoutError, OSError, ValueError) as problem:
        raise ConfigurationError(f"no Dask scheduler answers at {address}: {problem}") from None
    try:
        return await bulk.distribute(
            client,
            sources,
            target,
            session=make,
            quota=options.quota,
            **how,
        )
    finally:
        closing: object = client.close(timeout=_SECONDS)
        if inspect.isawaitable(closing):  # it is typed for both ways of use
            await closing
