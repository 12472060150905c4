"""The harvest: a fixed set of workers reads lists, one thread writes them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from itwin_async._arguments import invalid, whole
from itwin_async._http import urls
from itwin_async._tasks import cancellations, ungrouped
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
from itwin_async.harvest.columns import id_of
from itwin_async.harvest.progress import OnProgress, Progress, Report
from itwin_async.harvest.sinks import Sink
from itwin_async.harvest.sources import Named, Source
from itwin_async.harvest.store import Store, sink_of
from itwin_async.harvest.target import locked, target_files
from itwin_async.harvest.work_queue import WorkQueue
from itwin_async.harvest.writer import Writer
from itwin_async.paging import MAX_PAGE_SIZE
from itwin_async.session import Session

T = TypeVar("T")

_RESTARTS = 3
_GONE = 410
_TICK = 1.0


async def run(
    session: Session,
    source: Source[T],
    target: str | os.PathLike[str] | Sink,
    *,
    concurrency: int = 16,
    page_size: int = 1000,
    fail_fast: bool = False,
    on_progress: OnProgress | None = None,
) -> Report:
    """
    Harvest a source into a target, or resume a harvest that was interrupted.

    Run it again with the same arguments after any end: what is durable is not requested again, and
    lists that failed are tried again. A run that is cancelled can be resumed too.

    Args:
        session: the session.
        source: what to harvest.
        target: a name that ends in ``.db``, ``.sqlite``, ``.ndjson``, ``.ndjson.gz``,
            ``.ndjson.zst``, or ``.parquet`` for a directory of parts; or a sink of your own.
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
    if isinstance(target, str | os.PathLike):
        files = target_files(target)
        sink, path, lock = sink_of(files, source.table), files.path, files.lock
    elif isinstance(target, bytes) or not hasattr(target, "state"):
        raise invalid("target", target, "a name, a path or a sink")
    else:
        sink, path = target, Path(target.state)
        lock = path.with_name(f"{path.name}.lock")
    with locked(lock, path):
        store = Store(str(path), sink, fail_fast=fail_fast)
        return await _Run(session, source, store, page_size, on_progress).run(concurrency)


class _Run:
    """One run of a harvest."""

    def __init__(
        self,
        session: Session,
        source: Source[object],
        store: Store,
        page_size: int,
        on_progress: OnProgress | None,
    ) -> None:
        self._session = session
        self._source = source
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
        self._task, self._before = asyncio.current_task(), 0

    async def run(self, concurrency: int) -> Report:
        """Read all lists and report."""
        self._patience = 2 * concurrency
        source, store = self._source, self._store
        identity = {**source.identity, "platform": _platform(self._session)}
        async with self._writer as writer:
            await writer.call(partial(store.open, source, identity))
            self._items_before, resumed = store.totals.items, store.totals.lists > 0
            with self._calls.running():
                await ungrouped(self._work_all(concurrency))
            finished, failures = await writer.call(store.outcome)
            progress = self._progress()
            self._tell(progress)
            self._check_told()
            return Report(store.name, identity, finished, resumed, progress, failures)

    async def _work_all(self, concurrency: int) -> None:
        self._before = cancellations()
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(self._writer.broken()), group.create_task(self._tick())]
            tasks = [group.create_task(self._guarded(self._work())) for _ in range(concurrency)]
            tasks.append(group.create_task(self._guarded(self._find_lists())))
            await asyncio.wait(tasks)
            for watcher in watchers:
                watcher.cancel()

    async def _find_lists(self) -> None:
        """Read the outer list; its keys and its cursor become durable at once."""
        outer, store = self._source.outer, self._store
        cursor, done = await self._writer.call(store.outer)
        restarts = 0
        while outer is not None and not done:
            try:
                pager = outer(self._session, page_size=self._page_size, cursor=cursor)
                async with aclosing(pager.pages()) as pages:
                    async for page in pages:
                        keys = [(_key(item), _title(item)) for item in page.items]
                        cursor, done = page.cursor, page.next is None
                        await self._writer.put(partial(store.add_lists, keys, cursor, done=done))
                if not done:
                    await self._writer.put(partial(store.add_lists, (), cursor, done=True))
                done = True
            except ITwinError as error:
                if cursor is None or not _is_stale(error) or restarts == _RESTARTS:
                    raise
                cursor, restarts = None, restarts + 1
        if outer is None and not done:
            await self._writer.put(partial(store.add_lists, (), None, done=True))
        # Else a worker may look for lists before the last of them are written.
        await self._writer.flush()
        self._queue.all_known = True
        self._queue.notify()

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
        task = asyncio.current_task()
        before = cancellations()
        try:
            await work
        except asyncio.CancelledError:
            if self._task is None or self._task.cancelling() > self._before:
                raise
            while task is not None and task.cancelling() > before:
                task.uncancel()
        else:
            return
        raise TransportError("it was cancelled by something that it waited for", sent=True)

    async def _read_list(self, entry: Entry) -> None:
        store, cursor, restarts = self._store, entry.cursor, 0
        while True:
            try:
                pager = self._source.inner(
                    self._session, entry.key, page_size=self._page_size, cursor=cursor
                )
                async with aclosing(pager.pages()) as pages:
                    done = False
                    async for page in pages:
                        cursor, done = page.cursor, page.next is None
                        self._outages = 0
                        await self._writer.put(
                            partial(store.add_page, entry, page, cursor, done=done)
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

    async def _fail(self, entry: Entry, error: ITwinError) -> None:
        if self._store.fail_fast or isinstance(error, AuthenticationError | ConfigurationError):
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
            all_known=self._queue.all_known,
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


def _key(item: Named) -> str:
    try:
        return id_of(item)
    except ValueError as problem:
        raise DecodeError(f"the list of lists cannot be read: {problem}") from None


def _title(item: Named) -> str | None:
    title = getattr(item, "display_name", None)
    return title if isinstance(title, str) else None


def _platform(session: Session) -> str:
    # A local platform is found at another port each time.
    url = session.base_url
    return "local" if urls.is_loopback(url.host or "") else str(url.origin())
