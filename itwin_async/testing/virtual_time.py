"""Time in which waiting takes no time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import attrs

import itwin_async.session
from itwin_async._http.client import Client
from itwin_async.emulator import EmulatorClock
from itwin_async.retry import RetryPolicy

_REAL = {name: getattr(RetryPolicy(), name) for name in ("clock", "sleep", "now")}
_GRACE = 0.005  # answers on their way arrive before the time moves on


class VirtualTime:
    """
    Real time plus all that was slept away: who sleeps wakes at once, and the clocks have moved on.

    Several sleepers share the time, as in the real world: two that sleep for a second each wake
    after one second, not two, and who wakes first is not overtaken.

    Args:
        clock: the wall clock, which moves along; an emulator's, so that rate windows pass while a
            client waits.

    """

    def __init__(self, clock: EmulatorClock | None = None) -> None:
        self.slept: list[float] = []
        self._clock = clock or EmulatorClock()
        self._passed = 0.0
        self._wake_ups: list[float] = []

    def monotonic(self) -> float:
        """Seconds that never run back."""
        return time.monotonic() + self._passed

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed += seconds
        self._clock.advance(seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait for a moment only; ``slept`` remembers for how long it would have been."""
        until = self.monotonic() + seconds
        self.slept.append(seconds)
        self._wake_ups.append(until)
        try:
            await asyncio.sleep(0)
            while (left := until - self.monotonic()) > 0:
                await asyncio.sleep(min(left, _GRACE))
                if until == min(self._wake_ups):
                    self.advance(max(until - self.monotonic(), 0.0))
        finally:
            self._wake_ups.remove(until)

    def policy(self) -> RetryPolicy:
        """Return the usual retries in this time."""
        return self._adopted(RetryPolicy())

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """
        Give this time to every session that is made inside the block, by whomever.

        A session keeps its own retries; one whose policy has another clock or sleep keeps it whole.
        """

        def client(*args: Any, retry: RetryPolicy, **settings: Any) -> Client:  # noqa: ANN401 - handed on
            return Client(*args, retry=self._adopted(retry), **settings)

        with mock.patch.object(itwin_async.session, "Client", client):
            yield

    def _adopted(self, policy: RetryPolicy) -> RetryPolicy:
        if any(getattr(policy, name) is not real for name, real in _REAL.items()):
            return policy  # a sleep that belongs to another clock would never end
        return attrs.evolve(policy, clock=self.monotonic, sleep=self.sleep, now=self.now)
