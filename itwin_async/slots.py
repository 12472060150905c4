"""
Places for requests under way, handed on in order of arrival.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """
    A counter of free places; taking one that is free costs next to nothing.

    Args:
        limit: how many there are.

    """

    __slots__ = ("_free", "_waiters")

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiters: deque[asyncio.Future[None]] = deque()

    def take_now(self) -> bool:
        """
        Take a place if one is free.

        Returns:
            Whether it was.

        """
        if self._free > 0:
            self._free -= 1
            return True
        return False

    async def take(self) -> None:
        """
        Wait for a place and take it.
        """
        if self.take_now():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiters.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """
        Hand a place to whoever has waited longest, or make it free.
        """
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
