"""Who is next: callers by turns, each one's calls in order of arrival, higher priority first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TypeAlias

_Turns: TypeAlias = "OrderedDict[asyncio.Future[None], None]"


class FairQueue:
    """
    A queue in which a caller of many calls does not delay the single call of another.

    All that it does takes the same time however many wait.
    """

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        # By priority and caller; whoever is next stands first.
        self._levels: dict[int, OrderedDict[str, _Turns]] = {}

    def add(self, caller: str, priority: int) -> asyncio.Future[None]:
        """Put a call in the queue; its turn comes with the result of the future."""
        turn = asyncio.get_running_loop().create_future()
        callers = self._levels.get(priority)
        if callers is None:
            callers = self._levels[priority] = OrderedDict()
        turns = callers.get(caller)
        if turns is None:
            turns = callers[caller] = OrderedDict()
        turns[turn] = None
        return turn

    def drop(self, turn: asyncio.Future[None], caller: str, priority: int) -> None:
        """Take out a call that waits no longer, if it is still in the queue."""
        callers = self._levels.get(priority)
        turns = None if callers is None else callers.get(caller)
        if callers is None or turns is None or turn not in turns:
            return
        del turns[turn]
        self._tidy(callers, caller, priority)

    def pop(self) -> asyncio.Future[None] | None:
        """Take out the call whose turn it is; ``None`` if nobody waits."""
        while self._levels:
            priority = max(self._levels)
            callers = self._levels[priority]
            caller, turns = next(iter(callers.items()))
            turn, _ = turns.popitem(last=False)
            if turn.done():  # cancelled, and not yet dropped
                self._tidy(callers, caller, priority)
                continue
            callers.move_to_end(caller)
            self._tidy(callers, caller, priority)
            return turn
        return None

    def _tidy(self, callers: OrderedDict[str, _Turns], caller: str, priority: int) -> None:
        if not callers[caller]:
            del callers[caller]
        if not callers:
            del self._levels[priority]
