"""A harvest, and the refresh that may follow it, on the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import attrs

from itwin_async.errors import ITwinError
from itwin_async.harvest.changes import ChangesFile
from itwin_async.harvest.errors import explain
from itwin_async.harvest.lake.spool import SpoolStore
from itwin_async.harvest.lake_merge import LakeMerge
from itwin_async.harvest.plan import Plan
from itwin_async.harvest.progress import Report
from itwin_async.harvest.refresh import Merge, Refresh
from itwin_async.harvest.spool import Known
from itwin_async.harvest.state import exists
from itwin_async.harvest.store import Store
from itwin_async.harvest.target import TargetFiles

T = TypeVar("T")


class Refreshing:
    """
    What is done to a target in one run.

    Args:
        files: the target.
        plan: the sources.
        store: the target's store.
        read: reads what is not there yet into a store, but for what is behind known indexes only.
        fail_fast: raise an error where rows cannot be stored.

    """

    def __init__(
        self,
        files: TargetFiles,
        plan: Plan,
        store: Store,
        read: Callable[[Store, Known], Awaitable[Report]],
        *,
        fail_fast: bool,
    ) -> None:
        self._files = files
        self._store = store
        self._read = read
        self._fail_fast = fail_fast
        in_store = files.url is not None and files.address is None
        self._refresh = Refresh(files, plan, LakeMerge if in_store else Merge)
        self._is_new: bool | None = None

    async def run(self, *, refresh: bool) -> Report:
        """Finish the harvest, and then a refresh that was begun or is wanted."""
        await self._look()
        report = await self._read(self._store, {})
        job = self._refresh
        if isinstance(self._store, SpoolStore):
            self._is_new = self._store.is_new
        again = refresh and not self._is_new
        if not report.finished or not await self._call(partial(job.begin, again=again)):
            return attrs.evolve(report, generation=job.generation)
        report = await self._read(job.store(fail_fast=self._fail_fast), job.known)
        if not report.finished:
            return attrs.evolve(report, generation=job.generation)
        done = await self._call(job.merge)
        return attrs.evolve(
            report,
            resumed=job.resumed,
            progress=attrs.evolve(
                report.progress, items=done.items, new_items=done.changes["added"]
            ),
            generation=done.generation,
            changes=done.changes,
        )

    async def run_with_changes(
        self, path: str | os.PathLike[str], identity: Mapping[str, str], *, refresh: bool
    ) -> Report:
        """Do the same, and write what has changed since this was written last."""
        file = ChangesFile(self._files, path)
        await self._look()

        def begin() -> None:
            try:
                self._store.open(identity)
            finally:
                self._store.close()
            file.begin()

        await self._call(begin)
        report = await self.run(refresh=refresh)
        return attrs.evolve(
            report,
            resumed=report.resumed and not self._is_new,  # it was opened twice
            changes=await self._call(file.write),
        )

    async def _look(self) -> None:
        """Tell, before anything is written, whether there is a harvest."""
        if self._is_new is None:
            lies = await self._call(partial(exists, self._files.place))
            self._is_new = not lies and not isinstance(self._store, SpoolStore)

    async def _call(self, function: Callable[[], T]) -> T:
        """Call a function that takes long in a thread; cancelled, it ends soon."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="itwin-refresh") as thread:
            future = loop.run_in_executor(thread, function)
            try:
                return await asyncio.shield(future)
            except asyncio.CancelledError:
                self._refresh.stop()
                raise
            except (ITwinError, MemoryError):
                raise
            except Exception as problem:
                raise explain(problem, self._files.name) from problem
