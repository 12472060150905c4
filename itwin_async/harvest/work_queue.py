"""Which list comes next: read from the checkpoint a few at a time, as lists are found."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial

from itwin_async.harvest.patience import Reading
from itwin_async.harvest.store import Store
from itwin_async.harvest.writer import Writer

_AT_ONCE = 64


class WorkQueue:
    """
    Hands each unfinished list to one worker.

    A list that is found comes behind the list that led to it, so that their numbers tell the order.

    Args:
        writer: its thread reads the checkpoint.
        store: the target.

    """

    def __init__(self, writer: Writer, store: Store) -> None:
        self._writer = writer
        self._store = store
        self._lists: deque[Reading] = deque()
        self._later: deque[Reading] = deque()
        self._last = 0
        self._lock = asyncio.Lock()
        self._news = asyncio.Event()

    def notify(self) -> None:
        """Say that there may be further lists now."""
        self._news.set()

    def put_back(self, reading: Reading) -> None:
        """Hand a list out again when there is no other to read."""
        self._later.append(reading)
        self._news.set()

    async def next(self) -> Reading | None:
        """Wait for a list to read; ``None`` if there will be no more."""
        async with self._lock:
            while not self._lists:
                self._news.clear()
                look = partial(self._store.open_lists, self._last, _AT_ONCE)
                found, all_known = await self._writer.call(look)
                if found:
                    self._lists.extend(Reading(entry, entry.cursor) for entry in found)
                    self._last = found[-1].number
                elif self._later:
                    return self._later.popleft()
                elif all_known:
                    return None
                else:
                    await self._news.wait()
            return self._lists.popleft()
