"""The harvest: a fixed set of workers reads lists, one thread writes them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import cast

from itwin_async._arguments import between, invalid, whole
from itwin_async._tasks import Owner, cancellations, ungrouped
from itwin_async.errors import (
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    ITwinError,
    RateLimitError,
    ServerError,
    TransportError,
)
from itwin_async.harvest.calls import CallCounter
from itwin_async.harvest.checkpoint import Entry
from itwin_async.harvest.lake import LakeTarget, open_lake
from itwin_async.harvest.lake.spool import SpoolStore
from itwin_async.harvest.meter import Meter
from itwin_async.harvest.pages import RESTARTS, is_stale, lists_in
from itwin_async.harvest.patience import Patience, Reading, is_hopeless
from itwin_async.harvest.plan import Node, identity, plan
from itwin_async.harvest.platform import platform_of
from itwin_async.harvest.progress import OnProgress, Progress, Report
from itwin_async.harvest.refreshing import Refreshing
from itwin_async.harvest.sinks import RowSink, Sink
from itwin_async.harvest.sources import Source
from itwin_async.harvest.spool import Known
from itwin_async.harvest.store import NewLists, Store, sink_of
from itwin_async.harvest.target import TargetFiles, locked, target_files
from itwin_async.harvest.telling import Teller
from itwin_async.harvest.work_queue import WorkQueue
from itwin_async.harvest.writer import Writer
from itwin_async.paging import MAX_PAGE_SIZE, Page, Pager
from itwin_async.session import Session

_WEEK = 7 * 24 * 3600


async def run(
    session: Session,
    source: Source[object] | Sequence[Source[object]],
    target: str | os.PathLike[str] | Sink,
    *,
    concurrency: int = 16,
    page_size: int = 1000,
    fail_fast: bool = False,
    on_progress: OnProgress | None = None,
    wait_for_server: float = 0.0,
    refresh: bool = False,
    changes: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> Report:
    """
    Harvest one or several sources into a target, or resume a harvest that was interrupted.

    Run it again with the same arguments after any end: what is durable is not requested again, and
    lists that failed are tried again. A run that is cancelled can be resumed too.

    Args:
        session: the session.
        source: what to harvest; of several each has a table of its own.
        target: a name that ends in ``.db``, ``.sqlite``, ``.ndjson``, ``.ndjson.gz``,
            ``.ndjson.zst``, ``.parquet`` for a directory of parts, or ``.delta`` for Delta Lake;
            an address in an object store that ends in ``.delta`` or ``.parquet``, such as
            ``s3://bucket/x.delta``; or, for one source, a sink of your own.
        concurrency: how many lists are read at once.
        page_size: items a page, 1 to 1000.
        fail_fast: raise the first error of a list instead of recording it.
        on_progress: called with a ``Progress`` after something was written, and each second; it may
            be a coroutine function.
        wait_for_server: how long the harvest waits, in seconds, while the platform cannot be
            reached or answers 5xx for list after list; then it goes on where it was. 0 for not at
            all: lists fail, and one after another ends the run.
        refresh: make a target that is there current: everything is read again beside it, and takes
            its place in one step. A refresh that was interrupted goes on; a harvest that is not
            finished is finished first.
        changes: a file for what came, changed and went since the last such file, as NDJSON.
        storage_options: how an object store is reached, besides what the environment says: keys
            and endpoints by the names that ``deltalake`` takes. They are not kept.

    Raises:
        ArgumentError: an argument is not what it must be.
        TargetError: the target is foreign, in use by another harvest, or cannot be written.
        AuthenticationError: the token is not accepted (any more).
        ITwinError: the list of lists cannot be read, the platform cannot be reached, or, with
            ``fail_fast``, a list failed.

    """
    whole("concurrency", concurrency, 1)
    whole("page_size", page_size, 1, MAX_PAGE_SIZE)
    between("wait_for_server", wait_for_server, 0, _WEEK)
    sources = [source] if isinstance(source, Source) else list(source)
    nodes = plan(sources)
    wanted = [node for node in nodes if node.stored]
    files: TargetFiles | None = None
    lake: LakeTarget | None = None
    sinks: dict[int, Sink | RowSink] = {}
    if isinstance(target, str | os.PathLike):
        files = target_files(target, storage_options)
        name, state, lock, lake = files.name, files.place, files.lock, open_lake(files)
        alone = len(wanted) == 1
        if lake is None:
            for node in wanted:
                sinks[node.number] = sink_of(files, node.source, alone=alone)
    else:
        path = state = _state_of(target, wanted, storage_options)
        if refresh or changes is not None:
            raise ArgumentError(
                "a sink of your own has no refresh and no changes",
                argument="refresh" if refresh else "changes",
            )
        name, sinks[wanted[0].number] = str(path), target
        lock = path.with_name(f"{path.name}.lock")
    in_store = files is not None and files.url is not None
    with locked(lock, name if in_store else Path(name)):
        if lake is None or files is None:
            store = Store(name, state, nodes, sinks, fail_fast=fail_fast)
        else:
            store = SpoolStore(lake, files, nodes, fail_fast=fail_fast)
        known = {**identity(sources), "platform": await platform_of(session)}

        async def read(store: Store, after: Known) -> Report:
            run = _Run(session, nodes, store, page_size, on_progress, wait_for_server, after)
            return await run.run(known, concurrency)

        if files is None:
            return await read(store, {})
        work = Refreshing(files, nodes, store, read, fail_fast=fail_fast)
        if changes is None:
            return await work.run(refresh=refresh)
        return await work.run_with_changes(changes, known, refresh=refresh)


def _state_of(
    sink: Sink, wanted: Sequence[Node], storage_options: Mapping[str, str] | None
) -> Path:
    """Check a caller's own sink, and tell where its state is."""
    if isinstance(sink, bytes) or not hasattr(sink, "state"):
        raise invalid("target", sink, "a name, a path or a sink")
    if len(wanted) > 1 or wanted[0].source.id != "id":
        raise ArgumentError(
            "a sink of your own takes one source, whose items have an id", argument="target"
        )
    if storage_options:
        raise invalid("storage_options", [*storage_options], "given for an object store only")
    return Path(sink.state)


class _Run:
    """One run of a harvest."""

    def __init__(
        self,
        session: Session,
        plan: Sequence[Node],
        store: Store,
        page_size: int,
        on_progress: OnProgress | None,
        wait_for_server: float,
        after: Known,
    ) -> None:
        self._after = after
        self._session = session
        self._plan = plan
        self._store = store
        self._page_size = page_size
        self._calls = CallCounter(session)
        self._teller = Teller(on_progress, self._progress)
        self._patience = Patience(session, wait_for_server, self._calls, self._teller.tell)
        self._meter = Meter(self._calls, self._patience)
        self._waits = wait_for_server > 0
        self._writer = Writer(store, self._saved)
        self._queue = WorkQueue(self._writer, store)
        self._outages = self._most_outages = 0
        self._owner = Owner()

    async def run(self, identity: dict[str, str], concurrency: int) -> Report:
        """Read all lists and report."""
        self._most_outages = 2 * concurrency
        store = self._store
        async with self._writer as writer:
            await writer.call(partial(store.open, identity))
            self._meter.begin(store.totals)
            try:
                with self._calls.running():
                    await ungrouped(self._work_all(concurrency))
                finished, failures = await writer.call(store.outcome)
                progress = self._progress()
                await self._teller.finish(progress)
            finally:
                self._teller.close()
            return Report(store.name, identity, finished, store.resumed, progress, failures)

    async def _work_all(self, concurrency: int) -> None:
        self._owner = Owner()
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(self._writer.broken())
            group.create_task(self._teller.run())
            tasks = [group.create_task(self._guarded(self._work())) for _ in range(concurrency)]
            await asyncio.wait(tasks)
            watcher.cancel()
            self._teller.stop()

    async def _work(self) -> None:
        while (reading := await self._queue.next()) is not None:
            while not await self._is_done_with(reading):
                pass

    async def _is_done_with(self, reading: Reading) -> bool:
        """Read a list as far as it goes; ``False`` to go on with it at once."""
        try:
            await self._guarded(self._read_list(reading))
        except ITwinError as error:
            verdict = await self._patience.judge(reading, error)
            if verdict == "again":
                return False
            if verdict == "later":
                self._queue.put_back(reading)
                return True
            await self._fail(reading.entry, error)
        if self._plan[reading.entry.source].children:
            self._meter.led += 1
        return True

    async def _guarded(self, work: Coroutine[object, object, None]) -> None:
        """
        Make an error of a cancellation that is not the run's own.

        A task group takes a cancelled task for one that has ended well, so that its lists would be
        missing in silence.
        """
        before = cancellations()
        try:
            await work
        except asyncio.CancelledError:
            if not self._owner.takes_back(before):
                raise
        else:
            return
        raise TransportError("it was cancelled by something that it waited for", sent=True)

    async def _read_list(self, reading: Reading) -> None:
        store, entry, restarts = self._store, reading.entry, 0
        node = self._plan[entry.source]
        while True:
            try:
                pager = self._pager(node, entry, reading.cursor)
                async with aclosing(pager.pages(tolerant=True)) as pages:
                    done = False
                    async for page in pages:
                        cursor, done = page.cursor, page.next is None
                        self._outages, reading.struck = 0, None
                        lists, odd = self._lists_of(node, entry, page)
                        await self._writer.put(
                            partial(store.add_page, entry, page, lists, cursor, done=done, odd=odd),
                            len(page.raw),
                        )
                        reading.cursor = cursor
                        if entry.number in store.unstorable:
                            return
            except ITwinError as error:
                if reading.cursor is not None and is_stale(error) and restarts < RESTARTS:
                    reading.cursor, restarts = None, restarts + 1
                    await self._writer.put(partial(store.restart, entry))
                    continue
                raise
            if not done:
                await self._writer.put(partial(store.finish, entry))
            return

    def _pager(self, node: Node, entry: Entry, cursor: str | None) -> Pager[object]:
        inner = cast("Callable[..., Pager[object]]", node.source.inner)
        known = self._after.get((entry.source, entry.key))
        more = {} if known is None or cursor is not None else {"after_index": known}
        return inner(self._session, entry.key, page_size=self._page_size, cursor=cursor, **more)

    def _lists_of(
        self, node: Node, entry: Entry, page: Page[object]
    ) -> tuple[NewLists, list[tuple[int, str]]]:
        """Find the lists that the items of a page have, and the items that cannot tell."""
        lists: list[tuple[int, list[tuple[str, str | None]]]] = []
        odd: dict[int, str] = {}
        for number in node.children:
            keys, problems = lists_in(self._plan[number].source, entry.key, page.items)
            lists.append((number, keys))
            odd |= problems
        return lists, list(odd.items())

    async def _fail(self, entry: Entry, error: ITwinError) -> None:
        node = self._plan[entry.source]
        is_first = not node.stored and not entry.key  # without it there is nothing
        denied = isinstance(error, AuthenticationError | ConfigurationError)
        if self._store.fail_fast or is_first or denied or is_hopeless(error):
            raise error
        if isinstance(error, TransportError | ServerError | RateLimitError):
            # Where one list after another fails like this it is no list's fault.
            self._outages += 1
            if self._outages > self._most_outages and not self._waits:
                raise error
        await self._writer.put(partial(self._store.fail, entry, type(error).__name__, str(error)))

    def _progress(self) -> Progress:
        return self._meter.progress(self._store.totals)

    def _saved(self) -> None:
        self._queue.notify()
        self._teller.tell()
