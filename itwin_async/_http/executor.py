"""The one request path: token, limits, attempt, and again where that is right."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from functools import partial
from typing import TypeAlias, TypeVar

from itwin_async._http.attempt import Request, Response, send
from itwin_async._http.bodies import Sink
from itwin_async._http.call_options import CallOptions
from itwin_async._http.client import Client
from itwin_async._http.credentials import Authorization, Credentials
from itwin_async._http.waiting import WaitingCall
from itwin_async.errors import (
    ApiError,
    AuthenticationError,
    NotFoundError,
    RateLimitError,
    RequestError,
    TransportError,
)
from itwin_async.events import AttemptFinished, WaitScheduled, logger
from itwin_async.retry import Repeat, Stop

T = TypeVar("T")

_REMAINING = "iTwinPlatform-RateLimit-RemainingCalls"
_RENEWALS = 3  # of one call

Outcome: TypeAlias = Response | ApiError | TransportError


async def perform(
    client: Client,
    credentials: Credentials,
    request: Request,
    repeat: Repeat,
    deadline: float,
    options: CallOptions,
) -> Response:
    """
    Send a request until it succeeds or there is no point in going on.

    Raises:
        ApiError: the platform answered with an error.
        TransportError: no usable answer came.

    """
    call = _Call(client, credentials, request, deadline, options)
    outcome = await call.attempt()
    return outcome if isinstance(outcome, Response) else await call.retry(outcome, repeat)


class _Call(WaitingCall):
    # As in the class above.
    authorization: Authorization | None = None
    generation: int = 0
    renewed: Authorization | None = None
    made: Authorization | None = None
    renewals: int = 0
    failures: int = 0
    rate_limited: int = 0
    lost: bool = False

    async def attempt(self) -> Outcome:
        """Wait for the call's turn, and send the request once."""
        client = self.client
        slots, limiter, sink = client.slots, self.limiter, self.request.sink
        reached, taken = (0, 0) if sink is None else (sink.reached, sink.taken)
        self.number += 1
        if self.own_limiter is not None:
            await self._wait_for_own_turn(self.own_limiter)
        if self.credentials.is_fixed:
            self.authorization = self.credentials.fixed
        else:
            await self._authorize()
        if not limiter.open or not slots.take_now():
            await self._wait_for_turn()
            await self._authorize_again()
        if self.renewed is not None:
            self.renewed = None
        clock = client.retry.clock
        started = self.sent_at = clock()
        if limiter.open:
            limiter.count(started)
        seconds = min(self.deadline - started, self.options.timeout.attempt)
        try:
            outcome = await send(client, self.request, self.authorization, seconds, self.http)
            if isinstance(outcome, Response) and not self.request.storage:
                slots.heed(outcome.headers.get(_REMAINING))
        except asyncio.CancelledError:
            self._tell_finished(None, clock() - started)
            raise
        finally:
            slots.give_back()
        if not limiter.open and not isinstance(outcome, RateLimitError):
            limiter.accept(started)
        if client.observers or logger.isEnabledFor(logging.DEBUG):
            further = 0 if sink is None else sink.taken - taken
            self._tell_finished(outcome, clock() - started, further)
        self._heed_progress(sink, reached)
        return outcome

    def _heed_progress(self, sink: Sink | None, reached: int) -> None:
        # A long body may break off often; only attempts that get no further are counted.
        if sink is not None and sink.reached > reached:
            self.failures = 0
            self.deadline = self.client.retry.clock() + self.options.timeout.total

    async def retry(self, outcome: Outcome, repeat: Repeat) -> Response:
        """Try again until there is an answer, or raise what is left."""
        while not isinstance(outcome, Response):
            if self._is_done(outcome):
                request = self.request
                return Response(204, {}, b"", request.request_id, request.method, request.path)
            if not await self._renew(outcome):
                await self._pause(outcome, repeat)
            outcome = await self.attempt()
        return outcome

    def _is_done(self, outcome: ApiError | TransportError) -> bool:
        # The answer to an earlier attempt was lost; what was to vanish has vanished.
        return self.lost and self.request.method == "DELETE" and isinstance(outcome, NotFoundError)

    async def _authorize(self) -> None:
        credentials = self.credentials
        if self.renewed is not None:
            self.authorization = self.renewed
        else:
            self.client.ready()
            self.authorization = await self._provided(credentials.current())
        self.generation = credentials.generation

    async def _authorize_again(self) -> None:
        if self.credentials.is_fixed:
            return
        self.renewed = None  # the token may have ended while the call waited
        try:
            await self._authorize()
        except BaseException:
            self.client.slots.give_back()
            raise

    async def _renew(self, outcome: ApiError | TransportError) -> bool:
        credentials, refused = self.credentials, self.authorization
        if not isinstance(outcome, AuthenticationError) or refused is None:
            return False
        # One that was made for this call and is refused too is the end of it; one of another
        # call's renewal may have ended before it came here.
        if refused.same_as(self.made) or self.renewals == _RENEWALS:
            return False
        self.renewals += 1
        before = credentials.generation
        self.renewed = await self._provided(credentials.renew(refused, self.generation))
        if credentials.generation != before:
            self.made = self.renewed
        return self.renewed is not None

    async def _provided(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._left()):
                return await work
        except TimeoutError:
            pass
        except RequestError as error:
            self._complete(error)
            raise
        raise self._too_late("the token provider", "token provider")

    async def _pause(self, outcome: ApiError | TransportError, repeat: Repeat) -> None:
        policy = self.options.retry
        if isinstance(outcome, RateLimitError):
            self.rate_limited += 1
        else:
            self.failures += 1
            self.lost = self.lost or not isinstance(outcome, TransportError) or outcome.sent
        decision = policy.decide(
            outcome, repeat=repeat, failures=self.failures, rate_limited=self.rate_limited
        )
        if isinstance(outcome, RateLimitError):
            # Everybody, also where this call itself cannot wait so long; but only the caller's
            # calls of the same operation where that has a limit of its own.
            asked = outcome.retry_after or 0.0
            seconds = asked if isinstance(decision, Stop) else decision.seconds
            if seconds <= policy.max_retry_after:
                self._hold(seconds)
        if isinstance(decision, Stop) or self._left() <= decision.seconds:
            raise outcome
        self._tell_waiting(decision.seconds, outcome)
        if not isinstance(outcome, RateLimitError):
            await self._within(partial(policy.sleep, decision.seconds))

    def _tell_waiting(self, seconds: float, outcome: ApiError | TransportError) -> None:
        request = self.request
        text = outcome.args[0] if isinstance(outcome, TransportError) else outcome.status
        self.client.tell(
            WaitScheduled(
                request.method, request.path, request.request_id, self.number, seconds, str(text)
            )
        )

    def _tell_finished(self, outcome: Outcome | None, seconds: float, streamed: int = 0) -> None:
        request = self.request
        self.client.tell(
            AttemptFinished(
                request.method,
                request.path,
                request.request_id,
                self.number,
                outcome.status if isinstance(outcome, Response | ApiError) else None,
                seconds,
                streamed or (len(outcome.body) if isinstance(outcome, Response) else 0),
                cancelled=outcome is None,
            )
        )
