"""
The one request path: token, quota, slot, send, and again where that is right.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeAlias, TypeVar

from itwin_async.auth import Authenticator, Secret
from itwin_async.errors import (
    ApiError,
    AuthenticationError,
    NotFoundError,
    RateLimitError,
    TransportError,
)
from itwin_async.events import AttemptFinished, WaitScheduled, logger
from itwin_async.pool import Core
from itwin_async.quota import Pacer
from itwin_async.retry import Repeat, Stop
from itwin_async.transport import Attempt, Response, send

T = TypeVar("T")

Outcome: TypeAlias = Response | ApiError | TransportError


async def perform(
    core: Core, auth: Authenticator, attempt: Attempt, repeat: Repeat, deadline: float
) -> Response:
    """
    Send a request until it succeeds or there is no point in going on.

    Args:
        core: pool, pacing and policy.
        auth: where tokens come from.
        attempt: the request.
        repeat: whether it may be sent twice.
        deadline: when to give up, on the policy's clock.

    Returns:
        The answer.

    Raises:
        ApiError: the platform answered with an error.
        TransportError: no usable answer came.

    """
    policy = core.retry
    failures = refusals = count = 0
    renewed: Secret | None = None
    lost = False
    while True:
        generation = auth.generation
        token = renewed or auth.fixed
        if token is None:
            token = await _provided(auth.token(), core, deadline, attempt)
        count += 1
        outcome = await _send(core, attempt, token, deadline, count)
        if isinstance(outcome, Response):
            return outcome
        if lost and attempt.method == "DELETE" and isinstance(outcome, NotFoundError):
            # The answer to an earlier attempt was lost; what was to vanish has vanished.
            return Response(204, {}, b"", attempt.request_id, attempt.method, attempt.path)
        if isinstance(outcome, AuthenticationError) and renewed is None:
            renewed = await _provided(auth.renew(token, generation), core, deadline, attempt)
            if renewed is not None:
                continue
        if isinstance(outcome, RateLimitError):
            refusals += 1
        else:
            failures += 1
            lost = lost or not isinstance(outcome, TransportError) or outcome.sent
        decision = policy.decide(outcome, repeat=repeat, failures=failures, refusals=refusals)
        if isinstance(decision, Stop) or policy.clock() + decision.seconds >= deadline:
            raise outcome
        core.tell(_wait(attempt, count, decision.seconds, outcome))
        if isinstance(outcome, RateLimitError):
            core.pacer.hold(decision.seconds)
        else:
            await policy.sleep(decision.seconds)


async def _provided(work: Awaitable[T], core: Core, deadline: float, attempt: Attempt) -> T:
    try:
        async with asyncio.timeout(deadline - core.retry.clock()):
            return await work
    except TimeoutError:
        pass
    raise _too_late("the token provider", attempt)


async def _send(
    core: Core, attempt: Attempt, token: Secret, deadline: float, count: int
) -> Outcome:
    clock, slots, pacer = core.retry.clock, core.slots, core.pacer
    while True:
        if not pacer.open and not await _turn(pacer, deadline - clock()):
            return _too_late("the quota", attempt)
        if not await _slot(slots, deadline - clock()):
            return _too_late("a free connection", attempt)
        if not pacer.held:
            break
        slots.release()  # a 429 of another call came while this one waited for its slot
    try:
        started = clock()
        outcome = await send(
            core.pool(),
            attempt,
            f"Bearer {token.reveal()}",
            core.limits(deadline - started),
            core.tls,
            core.proxy,
        )
    finally:
        slots.release()
    if core.observers or logger.isEnabledFor(logging.DEBUG):
        core.tell(_finished(attempt, count, outcome, clock() - started))
    return outcome


async def _turn(pacer: Pacer, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await pacer.enter(seconds)
    except TimeoutError:
        return False


async def _slot(slots: asyncio.Semaphore, seconds: float) -> bool:
    if not slots.locked():
        return await slots.acquire()
    try:
        async with asyncio.timeout(seconds):
            return await slots.acquire()
    except TimeoutError:
        return False


def _too_late(what: str, attempt: Attempt) -> TransportError:
    return TransportError(
        f"time ran out while waiting for {what}",
        sent=False,
        timeout=True,
        retryable=False,
        method=attempt.method,
        path=attempt.path,
        request_id=attempt.request_id,
    )


def _wait(
    attempt: Attempt, count: int, seconds: float, outcome: ApiError | TransportError
) -> WaitScheduled:
    reason = str(outcome.args[0]) if isinstance(outcome, TransportError) else f"{outcome.status}"
    return WaitScheduled(attempt.method, attempt.path, attempt.request_id, count, seconds, reason)


def _finished(attempt: Attempt, count: int, outcome: Outcome, seconds: float) -> AttemptFinished:
    return AttemptFinished(
        attempt.method,
        attempt.path,
        attempt.request_id,
        count,
        None if isinstance(outcome, TransportError) else outcome.status,
        seconds,
        len(outcome.body) if isinstance(outcome, Response) else 0,
    )
