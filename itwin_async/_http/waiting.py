"""What a call waits for before it is sent: a connection, quotas, the end of a hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias, TypeVar

from itwin_async._http.attempt import Request
from itwin_async._http.call_options import CallOptions
from itwin_async._http.client import Client
from itwin_async._http.credentials import Credentials
from itwin_async._http.limiter import Limiter
from itwin_async._http.operation_limits import OperationLimiter
from itwin_async._http.shared_limiter import SharedLimiter
from itwin_async.errors import FailureKind, RateLimitError, RequestError, TransportError
from itwin_async.events import HoldStarted, WaitFinished, WaitReason, logger

T = TypeVar("T")
AnyLimiter: TypeAlias = Limiter | SharedLimiter | OperationLimiter

_SHORT = 0.001  # seconds that are no wait
_LONGER = 1.0  # seconds by which a hold must grow to be told again


class WaitingCall:
    """A call that waits for its turn, and until its deadline at most."""

    # What a first attempt that succeeds never touches stays on the class.
    number: int = 0
    sent_at: float = 0.0
    own_limiter: OperationLimiter | None = None

    def __init__(
        self,
        client: Client,
        credentials: Credentials,
        request: Request,
        deadline: float,
        options: CallOptions,
    ) -> None:
        self.client = client
        self.options = options
        self.credentials = credentials
        self.request = request
        self.deadline = deadline
        self.limiter: Limiter | SharedLimiter
        if request.storage:
            self.limiter = client.storage_limiter
            self.http = client.storage_options(options.storage, request.url)
        else:
            self.limiter, self.http = client.limiter, options.http
        if request.limit:
            self.own_limiter = client.operation_limits.limiter_of(request.limit, credentials)

    async def _wait_for_own_turn(self, limiter: OperationLimiter) -> None:
        # Before it takes a slot, for others need not wait for this operation.
        enter = partial(limiter.enter, self._left(), priority=self.options.priority)
        if not await self._turn("operation quota", enter, limiter):
            raise self._held(limiter) or self._too_late("the quota of the operation")

    async def _wait_for_turn(self) -> None:
        """
        Take a slot, and then wait for the call's turn.

        In this order, for a call that had its turn must not wait again: too many would go at once.
        """
        slots, limiter = self.client.slots, self.limiter
        caller, priority = self.credentials.caller, self.options.priority
        if not await self._turn("connection", partial(slots.take, caller, priority)):
            raise self._held(limiter) or self._too_late("a free connection")
        try:
            enter = partial(limiter.enter, self._left(), caller, priority)
            if limiter.open or await self._turn("quota", enter, limiter):
                return
            raise self._held(limiter) or self._too_late("the quota")
        except BaseException as problem:
            slots.give_back()
            self._complete(problem)
            raise

    async def _turn(
        self,
        reason: WaitReason,
        begin: Callable[[], Awaitable[bool]],
        limiter: AnyLimiter | None = None,
    ) -> bool:
        clock = self.client.retry.clock
        started, granted = clock(), False
        try:
            granted = bool(await self._within(begin))
        finally:
            seconds = clock() - started
            if seconds >= _SHORT:
                end = limiter.held_until if limiter is not None else 0.0
                self._tell_waited("hold" if end > started else reason, seconds, end, granted)
        return granted

    def _hold(self, seconds: float) -> None:
        """Let calls wait after a 429: all, or the caller's of an operation with its own limit."""
        limiter = self.own_limiter or self.limiter
        before = limiter.held
        try:
            limiter.hold(seconds, self.sent_at)
        except TransportError as error:
            self._complete(error)
            raise
        held = limiter.held
        if held > (before + _LONGER if before else 0.0):
            request = self.request
            operation = request.limit if self.own_limiter is not None else ""
            self.client.tell(
                HoldStarted(
                    request.method,
                    request.path,
                    request.request_id,
                    held,
                    self._moment(limiter.held_until),
                    operation,
                )
            )

    def _moment(self, moment: float) -> datetime:
        policy = self.client.retry
        return datetime.fromtimestamp(policy.now() + moment - policy.clock(), UTC)

    async def _within(self, begin: Callable[[], Awaitable[T]]) -> T | None:
        """Begin a wait that ends at the deadline, with ``None``, or when the session closes."""
        client = self.client
        deadlines = client.ready().deadlines
        task = deadlines.start(self._left())
        try:
            return await begin()
        except asyncio.CancelledError:
            if not deadlines.is_late(task):
                raise
            client.ready()
            return None
        finally:
            deadlines.stop(task)

    def _left(self) -> float:
        return self.deadline - self.client.retry.clock()

    def _held(self, limiter: AnyLimiter) -> RateLimitError | None:
        # A 429 of another call holds this one, too: it is no time-out.
        seconds = limiter.held
        if seconds <= 0:
            return None
        request = self.request
        which = f"calls of {request.limit}" if limiter is self.own_limiter else "all calls"
        return RateLimitError(
            f"{which} wait because one of them was answered with 429",
            status=429,
            retry_after=seconds,
            method=request.method,
            path=request.path,
            request_id=request.request_id,
        )

    def _complete(self, problem: BaseException) -> None:
        """Tell an error of what a call depends on which call it was."""
        if isinstance(problem, RequestError) and not problem.request_id:
            request = self.request
            problem.method, problem.path = request.method, request.path
            problem.request_id = request.request_id

    def _too_late(self, what: str, kind: FailureKind = "waiting") -> TransportError:
        text = f"time ran out while waiting for {what}"
        return self.request.failed(text, sent=False, timeout=True, retryable=False, kind=kind)

    def _tell_waited(
        self,
        reason: WaitReason,
        seconds: float,
        end: float,
        granted: bool,
    ) -> None:
        client, request = self.client, self.request
        if client.observers or logger.isEnabledFor(logging.DEBUG):
            client.tell(
                WaitFinished(
                    request.method,
                    request.path,
                    request.request_id,
                    self.number,
                    seconds,
                    reason,
                    until=self._moment(end) if reason == "hold" else None,
                    granted=granted,
                )
            )
