"""Pacing of all calls of a session by a pacer that others may use too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from itwin_async._arguments import invalid
from itwin_async._http.slots import Slots
from itwin_async._tasks import cancellations
from itwin_async.errors import ITwinError, TransportError
from itwin_async.quota import Pacer, Quota


@runtime_checkable
class _Learning(Protocol):
    """What a pacer that learns a rate has beside the rest."""

    def accept(self, age: float) -> None: ...


class SharedLimiter:
    """
    Lets the calls of a session and its views go by turns, each when the pacer lets it go.

    One call at a time asks the pacer, so that the others can still overtake one another here.
    """

    open = False
    rate = None

    def __init__(self, pacer: Pacer, *, clock: Callable[[], float]) -> None:
        self._pacer = pacer
        self._learning = pacer if isinstance(pacer, _Learning) else None
        self._clock = clock
        self._hold = clock()
        self._turns = Slots(1)
        self._problem: Exception | None = None
        self.waiting = 0

    def count(self, now: float) -> None:
        """Do nothing: it is never open."""

    def accept(self, sent: float) -> None:
        """Note that a call which was sent at ``sent`` did not meet a 429."""
        if self._learning is not None:
            try:
                self._learning.accept(max(0.0, self._clock() - sent))
            except Exception as problem:  # noqa: BLE001 - the answer is there; the next call tells
                self._problem = problem

    @property
    def held_until(self) -> float:
        """When the latest hold of this session ends or ended, by its clock."""
        return self._hold

    @property
    def held(self) -> float:
        """Seconds until calls may go again after a 429 of this session; 0 if none is waited for."""
        return max(0.0, self._hold - self._clock())

    async def enter(self, wait_limit: float, caller: str = "", priority: int = 0) -> bool:
        """
        Wait for this call's turn; ``False`` if it is further off than ``wait_limit`` seconds.

        Raises:
            TransportError: the pacer failed.

        """
        started = self._clock()
        if self._hold - started > wait_limit:
            return False
        self.waiting += 1
        try:
            await self._turns.take(caller, priority)
            try:
                left = wait_limit - (self._clock() - started)
                return left >= 0 and await self._ask(left)
            finally:
                self._turns.give_back()
        finally:
            self.waiting -= 1

    def hold(self, seconds: float, sent: float) -> None:
        """
        Let no call go for some seconds, because one that was sent at ``sent`` met a 429.

        Raises:
            TransportError: the pacer failed.

        """
        now = self._clock()
        self._hold = max(self._hold, now + seconds)
        try:
            self._pacer.hold(seconds, max(0.0, now - sent))
        except ITwinError:
            raise
        except Exception as problem:
            raise _failed(problem) from problem

    async def _ask(self, wait_limit: float) -> bool:
        problem, self._problem = self._problem, None
        if problem is not None:
            raise _failed(problem) from problem
        before = cancellations()
        try:
            return bool(await self._pacer.enter(wait_limit))
        except ITwinError:
            raise
        except asyncio.CancelledError as cancelled:
            if cancellations() > before:
                raise
            raise _failed(cancelled) from None  # what the pacer waited for was cancelled
        except Exception as found:
            raise _failed(found) from found


def checked_quota(quota: object) -> Quota | Pacer | None:
    """Check what paces a session."""
    if quota is None or isinstance(quota, Quota):
        return quota
    if isinstance(quota, type) or not isinstance(quota, Pacer):
        raise invalid("quota", quota, "a Quota, a Pacer (with enter and hold) or None")
    return quota


def _failed(problem: BaseException) -> TransportError:
    return TransportError(
        f"the pacer failed with {type(problem).__name__}",
        sent=False,
        timeout=isinstance(problem, TimeoutError),
        retryable=False,
        kind="pacer",
    )
