"""The one request path: token, quota, slot, send, and again where that is right."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeAlias, TypeVar

from itwin_async._http.attempt import Attempt, Response, send
from itwin_async._http.client import Core
from itwin_async._http.credentials import Authenticator, Secret
from itwin_async._http.deadlines import Watch
from itwin_async._http.slots import Slots
from itwin_async.errors import (
    ApiError,
    AuthenticationError,
    NotFoundError,
    RateLimitError,
    TransportError,
)
from itwin_async.events import AttemptFinished, WaitScheduled, logger
from itwin_async.retry import Repeat, Stop

T = TypeVar("T")

_REMAINING = "iTwinPlatform-RateLimit-RemainingCalls"

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
    generation = auth.generation
    token = auth.fixed
    if token is None:
        core.ready()
        token = await _provided(auth.token(), core, deadline, attempt)
    outcome = await _try(core, attempt, token, deadline, 1)
    if isinstance(outcome, Response):
        return outcome
    return await _Recovery(core, auth, attempt, repeat, deadline).run(outcome, token, generation)


class _Recovery:
    """What follows a first attempt that failed."""

    def __init__(
        self, core: Core, auth: Authenticator, attempt: Attempt, repeat: Repeat, deadline: float
    ) -> None:
        self._core = core
        self._auth = auth
        self._attempt = attempt
        self._repeat = repeat
        self._deadline = deadline
        self._failures = self._refusals = 0
        self._renewed: Secret | None = None
        self._lost = False

    async def run(self, outcome: Outcome, token: Secret, generation: int) -> Response:
        """Try again until there is an answer, or raise what is left."""
        count = 1
        while not isinstance(outcome, Response):
            if self._is_done(outcome):
                attempt = self._attempt
                return Response(204, {}, b"", attempt.request_id, attempt.method, attempt.path)
            if not await self._renew(outcome, token, generation):
                await self._pause(outcome, count)
            generation = self._auth.generation
            token = await self._token()
            count += 1
            outcome = await _try(self._core, self._attempt, token, self._deadline, count)
        return outcome

    def _is_done(self, outcome: ApiError | TransportError) -> bool:
        # The answer to an earlier attempt was lost; what was to vanish has vanished.
        return (
            self._lost and self._attempt.method == "DELETE" and isinstance(outcome, NotFoundError)
        )

    async def _renew(self, outcome: Outcome, token: Secret, generation: int) -> bool:
        if not isinstance(outcome, AuthenticationError) or self._renewed is not None:
            return False
        work = self._auth.renew(token, generation)
        self._renewed = await _provided(work, self._core, self._deadline, self._attempt)
        return self._renewed is not None

    async def _token(self) -> Secret:
        token = self._renewed or self._auth.fixed
        if token is not None:
            return token
        return await _provided(self._auth.token(), self._core, self._deadline, self._attempt)

    async def _pause(self, outcome: ApiError | TransportError, count: int) -> None:
        core, policy = self._core, self._core.retry
        if isinstance(outcome, RateLimitError):
            self._refusals += 1
        else:
            self._failures += 1
            self._lost = self._lost or not isinstance(outcome, TransportError) or outcome.sent
        decision = policy.decide(
            outcome, repeat=self._repeat, failures=self._failures, refusals=self._refusals
        )
        if isinstance(outcome, RateLimitError):
            # Everybody, also where this call itself cannot wait so long.
            asked = outcome.retry_after or 0.0
            seconds = asked if isinstance(decision, Stop) else decision.seconds
            if seconds <= policy.max_retry_after:
                core.pacer.hold(seconds, self._attempt.sent)
        if isinstance(decision, Stop) or policy.clock() + decision.seconds >= self._deadline:
            raise outcome
        core.tell(_wait(self._attempt, count, decision.seconds, outcome))
        if not isinstance(outcome, RateLimitError):
            watch, left = core.ready().watch, self._deadline - policy.clock()
            await _within(core, watch, policy.sleep(decision.seconds), left)


async def _try(core: Core, attempt: Attempt, token: Secret, deadline: float, count: int) -> Outcome:
    slots = core.slots
    if not core.pacer.open or not slots.take_now():
        late = await _queue(core, slots, attempt, deadline)
        if late is not None:
            return late
    clock, limit = core.retry.clock, core.timeout.attempt
    started = attempt.sent = clock()
    if core.pacer.open:
        core.pacer.count(started)
    left = deadline - started
    try:
        outcome = await send(core.ready(), attempt, token, min(left, limit))
        if isinstance(outcome, Response):
            slots.heed(outcome.headers.get(_REMAINING))
    except asyncio.CancelledError:
        with suppress(Exception):  # an observer's own failure must not hide the cancellation
            core.tell(_finished(attempt, count, None, clock() - started))
        raise
    finally:
        slots.give_back()
    if core.observers or logger.isEnabledFor(logging.DEBUG):
        core.tell(_finished(attempt, count, outcome, clock() - started))
    return outcome


async def _provided(work: Awaitable[T], core: Core, deadline: float, attempt: Attempt) -> T:
    try:
        async with asyncio.timeout(deadline - core.retry.clock()):
            return await work
    except TimeoutError:
        pass
    except AuthenticationError as error:
        if not error.request_id:
            error.method, error.path = attempt.method, attempt.path
            error.request_id = attempt.request_id
        raise
    raise _too_late("the token provider", attempt)


async def _queue(
    core: Core, slots: Slots, attempt: Attempt, deadline: float
) -> TransportError | None:
    """
    Wait for a slot and for the call's turn; the slot is taken unless an error is returned.

    In this order, for a call that had its turn must not wait again: too many would go at once then.
    """
    clock, pacer = core.retry.clock, core.pacer
    watch = core.ready().watch
    if not await _within(core, watch, _take(slots), deadline - clock()):
        return _too_late("the quota" if pacer.waiting else "a free connection", attempt)
    left = deadline - clock()
    try:
        if pacer.open or await _within(core, watch, pacer.enter(left), left):
            return None
    except BaseException:
        slots.give_back()
        raise
    slots.give_back()
    return _too_late("the quota", attempt)


async def _take(slots: Slots) -> bool:
    await slots.take()
    return True


async def _within(core: Core, watch: Watch, work: Awaitable[T], seconds: float) -> T | None:
    """Wait for something until time runs out, ``None`` then, or until the session closes."""
    task = watch.start(seconds)
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.is_late(task):
            raise
        core.ready()
        return None
    finally:
        watch.stop(task)


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


def _finished(
    attempt: Attempt, count: int, outcome: Outcome | None, seconds: float
) -> AttemptFinished:
    return AttemptFinished(
        attempt.method,
        attempt.path,
        attempt.request_id,
        count,
        outcome.status if isinstance(outcome, Response | ApiError) else None,
        seconds,
        len(outcome.body) if isinstance(outcome, Response) else 0,
        cancelled=outcome is None,
    )
