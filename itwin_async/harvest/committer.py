"""Commits whole lists to a target that many machines write, several at a time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from itwin_async._arguments import invalid
from itwin_async.harvest.lake import LakeTable, LakeTarget, ListRows, open_shared
from itwin_async.harvest.target import name_of, target_files

T = TypeVar("T")

AnyTarget: TypeAlias = str | os.PathLike[str] | LakeTarget | Callable[[], LakeTarget]
"""The name of a target that many machines may write; or the target, or a function that makes it."""

_ENOUGH = 50_000  # rows that are committed at once
_LARGE = 64 * 1024 * 1024  # bytes of JSON that are
_AFTER = 20.0  # seconds that a list waits for others


class Committer:
    """
    Takes lists, and commits them when enough of them have come.

    Args:
        target: where they go.

    Attributes:
        new_rows: rows that no other machine had committed before.

    """

    def __init__(self, target: LakeTarget) -> None:
        self._target = target
        self._waiting: dict[str, list[ListRows]] = {}
        self._rows = self._size = 0
        self._since = 0.0
        self._lock = asyncio.Lock()
        self.new_rows = 0

    async def prepare(self, identity: Mapping[str, str], tables: Sequence[LakeTable]) -> None:
        """Create the tables, or check that they are of the same harvest."""
        await self.call(lambda: self._target.prepare(identity, tables))

    async def committed(self, table: str) -> Mapping[str, int]:
        """Read which lists are there, and how many rows each has."""
        return await self.call(lambda: self._target.committed(table))

    async def add(self, table: str, rows: ListRows) -> None:
        """Take a list; waits while so much is committed that memory would grow."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.setdefault(table, []).append(rows)
        self._rows += len(rows.rows)
        self._size += sum(len(row.text) for row in rows.rows)
        late = time.monotonic() - self._since >= _AFTER
        if late or self._rows >= _ENOUGH or self._size >= _LARGE:
            await self.flush()

    async def flush(self) -> None:
        """Commit everything that was added."""
        async with self._lock:
            waiting, self._waiting = self._waiting, {}
            self._rows = self._size = 0
            for table, lists in waiting.items():
                self.new_rows += await self._in_thread(
                    lambda table=table, lists=lists: self._target.commit(table, lists)  # type: ignore[misc]
                )

    async def call(self, function: Callable[[], T]) -> T:
        """Use the target in a thread, one call at a time."""
        async with self._lock:
            return await self._in_thread(function)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        work = asyncio.ensure_future(asyncio.to_thread(function))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if not work.done():  # a commit cannot be broken off
                await asyncio.wait([work])
            if not work.cancelled():
                work.exception()
            raise


def lake_of(target: AnyTarget) -> LakeTarget:
    """
    Find the target that is meant.

    Raises:
        ArgumentError: only one machine may write it.

    """
    allowed = (
        "one that many machines may write, such as a name that ends in .delta, or postgresql://"
    )
    if isinstance(target, str | os.PathLike):
        found = open_shared(target_files(target))
        if found is None:
            raise invalid("target", name_of(target), allowed)
        return found
    made = target if hasattr(target, "commit") or not callable(target) else target()
    if not hasattr(made, "commit"):
        raise invalid("target", made, allowed)
    return made  # type: ignore[return-value] # a function's is what it says
