"""Slots for requests under way, handed on fairly."""

from __future__ import annotations

import asyncio
import sys

from itwin_async._http.fair_queue import FairQueue

_SILENCE = 10  # answers without a number, behind which the last number is forgotten


class Slots:
    """A counter of free slots; taking one that is free costs next to nothing."""

    __slots__ = ("_free", "_limit", "_queue", "_silent", "_spent", "_width", "waiting")

    def __init__(self, limit: int) -> None:
        self._limit = self._width = self._free = limit
        self._spent = self._silent = 0
        self._queue = FairQueue()
        self.waiting = 0

    @property
    def in_use(self) -> int:
        """How many slots are taken."""
        return self._width - self._free

    @property
    def limit(self) -> int | None:
        """How many may be taken at this moment; ``None`` for any number."""
        return None if self._width == sys.maxsize else self._width

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

    async def take(self, caller: str = "", priority: int = 0) -> bool:
        """Wait for a slot and take it; the result is true."""
        if self.take_now():
            return True
        turn = self._queue.add(caller, priority)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            else:
                self._queue.drop(turn, caller, priority)
            raise
        finally:
            self.waiting -= 1
        return True

    def give_back(self) -> None:
        """Hand a slot to the caller whose turn it is, or make it free."""
        self._free += 1
        if self.waiting:
            self._wake()

    def _wake(self) -> None:
        while self._free > 0 and (turn := self._queue.pop()) is not None:
            self._free -= 1
            turn.set_result(None)
