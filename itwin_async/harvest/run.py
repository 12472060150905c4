"""The harvest: a fixed set of workers reads lists, one thread writes them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import aclosing, nullcontext, suppress
from functools import partial
from pathlib import Path

from itwin_async._arguments import invalid, whole
from itwin_async._http import urls
from itwin_async._tasks import Owner, cancellations, ungrouped
from itwin_async.errors import (
    ApiError,
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    InvalidRequestError,
    ITwinError,
    RateLimitError,
    ServerError,
    TransportError,
)
from itwin_async.harvest.calls import CallCounter
from itwin_async.harvest.checkpoint import Entry
from itwin_async.harvest.plan import Node, identity, plan
from itwin_async.harvest.progress import OnProgress, Progress, Report
from itwin_async.harvest.sinks import RowSink, Sink
from itwin_async.harvest.sources import Source
from itwin_async.harvest.store import NewLists, Store, sink_of
from itwin_async.harvest.target import TargetFiles, locked, target_files
from itwin_async.harvest.work_queue import WorkQueue
from itwin_async.harvest.writer import Writer
from itwin_async.paging import MAX_PAGE_SIZE, Page
from itwin_async.session import Session

_RESTARTS = 3
_GONE = 410
_TICK = 1.0


async def run(
    session: Session,
    source: Source[object] | Sequence[Source[object]],
    target: str | os.PathLike[str] | Sink,
    *,
    concurrency: int = 16,
    page_size: int = 1000,
    fail_fast: bool = False,
    on_progress: OnProgress | None = None,
) -> Report:
    """
    Harvest one or several sources into a target, or resume a harvest that was interrupted.

    Run it again with the same arguments after any end: what is durable is not requested again, and
    lists that failed are tried again. A run that is cancelled can be resumed too.

    Args:
        session: the session.
        source: what to harvest; of several each has a table of its own.
        target: a name that ends in ``.db``, ``.sqlite``, ``.ndjson``, ``.ndjson.gz``,
            ``.ndjson.zst``, or ``.parquet`` for a directory of parts; or, for one source, a sink
            of your own.
        concurrency: how many lists are read at once.
        page_size: items a page, 1 to 1000.
        fail_fast: raise the first error of a list instead of recording it.
        on_progress: called with a ``Progress`` after something was written, and each second.

    Raises:
        ArgumentError: an argument is not what it must be.
        TargetError: the target is foreign, in use by another harvest, or cannot be written.
        AuthenticationError: the token is not accepted (any more).
        ITwinError: the list of lists cannot be read, the platform cannot be reached, or, with
            ``fail_fast``, a list failed.

    """
    whole("concurrency", concurrency, 1)
    whole("page_size", page_size, 1, MAX_PAGE_SIZE)
    sources = [source] if isinstance(source, Source) else list(source)
    nodes = plan(sources)
    wanted = [node for node in nodes if node.stored]
    if isinstance(target, str | os.PathLike):
        files = target_files(target)
        name, state = str(files.path), files.state
        lock = locked(files.lock, files.path) if isinstance(files, TargetFiles) else nullcontext()
        alone = len(wanted) == 1
        sinks: dict[int, Sink | RowSink] = {
            node.number: sink_of(files, node.source, alone=alone) for node in wanted
        }
    elif isinstance(target, bytes) or not hasattr(target, "state"):
        raise invalid("target", target, "a name, a path or a sink")
    elif len(wanted) > 1 or wanted[0].source.id != "id":
        raise ArgumentError(
            "a sink of your own takes one source, whose items have an id", argument="target"
        )
    else:
        path = state = Path(target.state)
        name, sinks = str(path), {wanted[0].number: target}
        lock = locked(path.with_name(f"{path.name}.lock"), path)
    with lock:
        store = Store(name, state, nodes, sinks, fail_fast=fail_fast)
        known = {**identity(sources), "platform": _platform(session)}
        return await _Run(session, nodes, store, page_size, on_progress).run(known, concurrency)


class _Run:
    """One run of a harvest."""

    def __init__(
        self,
        session: Session,
        plan: Sequence[Node],
        store: Store,
        page_size: int,
        on_progress: OnProgress | None,
    ) -> None:
        self._session = session
        self._plan = plan
        self._store = store
        self._page_size = page_size
        self._on_progress = on_progress
        self._calls = CallCounter(session)
        self._writer = Writer(store, self._saved)
        self._queue = WorkQueue(self._writer, store)
        self._tell_error: Exception | None = None
        self._tell_failed = asyncio.Event()
        self._started = time.monotonic()
        self._items_before = 0
        self._outages = self._patience = 0
        self._owner = Owner()

    async def run(self, identity: dict[str, str], concurrency: int) -> Report:
        """Read all lists and report."""
        self._patience = 2 * concurrency
        store = self._store
        async with self._writer as writer:
            await writer.call(partial(store.open, identity))
            self._items_before, resumed = store.totals.items, store.totals.lists > 0
            with self._calls.running():
                await ungrouped(self._work_all(concurrency))
            finished, failures = await writer.call(store.outcome)
            progress = self._progress()
            self._tell(progress)
            self._check_told()
            return Report(store.name, identity, finished, resumed, progress, failures)

    async def _work_all(self, concurrency: int) -> None:
        self._owner = Owner()
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(self._writer.broken()), group.create_task(self._tick())]
            tasks = [group.create_task(self._guarded(self._work())) for _ in range(concurrency)]
            await asyncio.wait(tasks)
            for watcher in watchers:
                watcher.cancel()

    async def _work(self) -> None:
        while (entry := await self._queue.next()) is not None:
            try:
                await self._guarded(self._read_list(entry))
            except ITwinError as error:
                await self._fail(entry, error)

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

    async def _read_list(self, entry: Entry) -> None:
        store, cursor, restarts = self._store, entry.cursor, 0
        node = self._plan[entry.source]
        while True:
            try:
                pager = node.source.inner(
                    self._session, entry.key, page_size=self._page_size, cursor=cursor
                )
                async with aclosing(pager.pages()) as pages:
                    done = False
                    async for page in pages:
                        cursor, done = page.cursor, page.next is None
                        self._outages = 0
                        lists = self._lists_of(node, entry, page)
                        await self._writer.put(
                            partial(store.add_page, entry, page, lists, cursor, done=done),
                            len(page.raw),
                        )
                        if entry.number in store.unstorable:
                            return
            except ITwinError as error:
                if cursor is not None and _is_stale(error) and restarts < _RESTARTS:
                    cursor, restarts = None, restarts + 1
                    await self._writer.put(partial(store.restart, entry))
                    continue
                raise
            if not done:
                await self._writer.put(partial(store.finish, entry))
            return

    def _lists_of(self, node: Node, entry: Entry, page: Page[object]) -> NewLists:
        """Find the lists that the items of a page have."""
        return [
            (number, list(_keys(self._plan[number].source, entry.key, page.items)))
            for number in node.children
        ]

    async def _fail(self, entry: Entry, error: ITwinError) -> None:
        node = self._plan[entry.source]
        is_first = not node.stored and not entry.key  # without it there is nothing
        denied = isinstance(error, AuthenticationError | ConfigurationError)
        if self._store.fail_fast or is_first or denied:
            raise error
        if isinstance(error, TransportError | ServerError | RateLimitError):
            # Where one list after another fails like this it is no list's fault.
            self._outages += 1
            if self._outages > self._patience:
                raise error
        await self._writer.put(partial(self._store.fail, entry, type(error).__name__, str(error)))

    def _saved(self) -> None:
        self._queue.notify()
        self._tell(self._progress())

    def _tell(self, progress: Progress) -> None:
        if self._on_progress is None or self._tell_failed.is_set():
            return
        try:
            self._on_progress(progress)
        except Exception as problem:  # noqa: BLE001 - the caller's; the target is sound
            self._tell_error = problem
        except asyncio.CancelledError:
            self._tell_error = ITwinError("on_progress raised CancelledError")
        if self._tell_error is not None:
            self._tell_failed.set()

    def _check_told(self) -> None:
        if self._tell_error is not None:
            raise self._tell_error

    async def _tick(self) -> None:
        # Nothing is written while all calls wait for the quota, and somebody may be watching.
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._tell_failed.wait()
            self._check_told()
            self._tell(self._progress())

    def _progress(self) -> Progress:
        totals, calls = self._store.totals, self._calls
        return Progress(
            lists_known=totals.lists,
            lists_done=totals.done,
            lists_failed=totals.failed,
            all_known=not totals.leading,
            items=totals.items,
            new_items=totals.items - self._items_before,
            calls=calls.calls,
            refused=calls.refused,
            waiting=calls.waiting,
            seconds=time.monotonic() - self._started,
        )


def _is_stale(error: ITwinError) -> bool:
    """Tell whether a list may be readable from its start where it cannot be resumed."""
    if isinstance(error, ArgumentError):
        return error.argument == "cursor"
    if isinstance(error, ApiError) and error.status == _GONE:
        return True
    return isinstance(error, InvalidRequestError)


def _keys(
    source: Source[object], above: str, items: Sequence[object]
) -> Iterator[tuple[str, str | None]]:
    try:
        for item in items:
            if source.only is None or source.only(item):
                yield source.key_of(above, item), _title(item)
    except ValueError as problem:
        raise DecodeError(f"the list of lists cannot be read: {problem}") from None


def _title(item: object) -> str | None:
    title = getattr(item, "display_name", None)
    return title if isinstance(title, str) else None


def _platform(session: Session) -> str:
    # A local platform is found at another port each time.
    url = session.base_url
    return "local" if urls.is_loopback(url.host or "") else str(url.origin())
