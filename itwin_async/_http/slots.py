"""Slots for requests under way, handed on in order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque

_SILENCE = 10  # answers without a number, behind which the last number is forgotten


class Slots:
    """A counter of free slots; taking one that is free costs next to nothing."""

    __slots__ = ("_free", "_limit", "_silent", "_spent", "_waiters", "_width")

    def __init__(self, limit: int) -> None:
        self._limit = self._width = self._free = limit
        self._spent = self._silent = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    def heed(self, remaining: str | None) -> None:
        """
        Have no more requests under way than the platform says remain; one may always try.

        An answer says how many calls remain behind it. Where calls go on to be accepted although
        none remained, the number means something else, and is no longer heeded. It is forgotten
        after some answers in a row that tell none.
        """
        if remaining is None:
            if self._width < self._limit:
                self._silent += 1
                if self._silent >= _SILENCE:
                    self._set_width(self._limit)
            return
        if not (remaining.isascii() and remaining.isdigit()) or self._spent > 1:
            return
        left = int(remaining[:9])
        self._spent = self._spent + 1 if left == 0 else 0
        self._set_width(self._limit if self._spent > 1 else min(self._limit, max(1, left)))

    def _set_width(self, width: int) -> None:
        self._silent = 0
        self._free += width - self._width
        self._width = width
        self._wake()

    def take_now(self) -> bool:
        """Take a slot if one is free, and tell whether it was."""
        if self._free > 0:
            self._free -= 1
            return True
        return False

    async def take(self) -> bool:
        """Wait for a slot and take it; the result is true."""
        if self.take_now():
            return True
        turn = asyncio.get_running_loop().create_future()
        self._waiters.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise
        return True

    def give_back(self) -> None:
        """Hand a slot to whoever has waited longest, or make it free."""
        self._free += 1
        if self._waiters:
            self._wake()

    def _wake(self) -> None:
        while self._waiters and self._free > 0:
            turn = self._waiters.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)
