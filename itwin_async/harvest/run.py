"""The harvest: fixed workers walk lists, one thread writes, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import aclosing
from pathlib import Path
from typing import Generic, TypeVar

from itwin_async._arguments import whole
from itwin_async._http import urls
from itwin_async._tasks import ungrouped
from itwin_async.errors import (
    ApiError,
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    ITwinError,
    RateLimitError,
    ServerError,
    TransportError,
)
from itwin_async.harvest.desk import Desk
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.feed import Feed
from itwin_async.harvest.keeper import Keeper, keeper_of
from itwin_async.harvest.lock import Lock
from itwin_async.harvest.messages import Ended, Entry, Failed, Found, Restarted, Rows
from itwin_async.harvest.meter import Meter
from itwin_async.harvest.places import place_of
from itwin_async.harvest.progress import Failure, OnProgress, Progress, Report
from itwin_async.harvest.sinks import Sink
from itwin_async.harvest.sources import Named, Source
from itwin_async.paging import MAX_PAGE_SIZE
from itwin_async.session import Session

T = TypeVar("T")

_RESTARTS = 3
_GONE = 410
_FAILURES_TOLD = 1000
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
    Harvest a source into a target, or go on with a harvest that was interrupted.

    Run it again with the same arguments after any end: what is durable is not asked for again, and
    lists that failed get another chance. Cancelling leaves a target that can be gone on with.

    Args:
        session: the session.
        source: what to harvest.
        target: where to; its name decides the form: ``.db`` or ``.sqlite``, ``.ndjson``,
            ``.ndjson.gz``, ``.ndjson.zst``, or ``.parquet`` for a directory of parts.
        concurrency: how many lists are walked at once.
        page_size: items a page, 1 to 1000.
        fail_fast: raise the first error of a list instead of noting it.
        on_progress: called with a ``Progress`` whenever something was written, and each second.

    Returns:
        What came of it, with the lists that failed.

    Raises:
        ArgumentError: an argument is not what it must be.
        TargetError: the target is foreign, in use by another harvest, or cannot be written.
        AuthenticationError: the token is not accepted (any more).
        ITwinError: the list of lists cannot be read, the platform cannot be reached, or, with
            ``fail_fast``, a list failed.

    """
    whole("concurrency", concurrency, 1)
    whole("page_size", page_size, 1, MAX_PAGE_SIZE)
    keeper, name, lock = _target(target)
    with lock:
        harvest = _Harvest(session, source, keeper, name, page_size, on_progress)
        return await harvest.run(concurrency, fail_fast=fail_fast)


def _target(target: str | os.PathLike[str] | Sink) -> tuple[Keeper, str, Lock]:
    if isinstance(target, str | os.PathLike):
        place = place_of(target)
        keeper = keeper_of(place)
        if place.form == "parquet":
            _make(place.target)
        return keeper, str(place.target), Lock(place.lock, place.target)
    state = Path(target.state)
    name = str(state)
    return Keeper(name, state, target), name, Lock(state.with_name(f"{state.name}.lock"), state)


class _Harvest(Generic[T]):
    """One run."""

    def __init__(
        self,
        session: Session,
        source: Source[T],
        keeper: Keeper,
        target: str,
        page_size: int,
        on_progress: OnProgress | None,
    ) -> None:
        self._session = session
        self._source = source
        self._keeper = keeper
        self._target = target
        self._page_size = page_size
        self._on_progress = on_progress
        self._meter = Meter(session)
        self._desk = Desk(keeper, target, self._saved)
        self._feed = Feed(self._desk, keeper)
        self._started = time.monotonic()
        self._items_before = 0
        self._fail_fast = False
        self._outages = self._patience = 0

    async def run(self, concurrency: int, *, fail_fast: bool) -> Report:
        """Walk all lists and report."""
        self._fail_fast = fail_fast
        self._patience = 2 * concurrency
        source, keeper = self._source, self._keeper
        identity = {**source.identity, "platform": _platform(self._session)}
        keys = source.keys if source.outer is None else ()
        async with self._desk as desk:
            await desk.ask(lambda: keeper.open(identity, source.item, source.table, keys))
            self._items_before, resumed = keeper.totals.items, keeper.totals.lists > 0
            with self._meter.running():
                await ungrouped(self._walks(concurrency))
            await desk.ask(keeper.commit)
            found = await desk.ask(lambda: keeper.failures(_FAILURES_TOLD))
            progress = self._progress()
            self._tell(progress)
            failures = [Failure(*values) for values in found]
            return Report(self._target, identity, True, resumed, progress, failures)  # noqa: FBT003

    async def _walks(self, concurrency: int) -> None:
        async with asyncio.TaskGroup() as group:
            watches = [group.create_task(self._desk.broken()), group.create_task(self._tick())]
            tasks = [group.create_task(self._work()) for _ in range(concurrency)]
            tasks.append(group.create_task(self._discover()))
            await asyncio.wait(tasks)
            for watch in watches:
                watch.cancel()

    async def _discover(self) -> None:
        """Walk the outer list; its keys and its cursor become durable together."""
        outer = self._source.outer
        cursor, done = await self._desk.ask(self._keeper.outer)
        restarts = 0
        while outer is not None and not done:
            try:
                pager = outer(self._session, page_size=self._page_size, cursor=cursor)
                async with aclosing(pager.pages()) as pages:
                    async for page in pages:
                        keys = [(item.id, _title(item)) for item in page.items]
                        cursor, done = page.cursor, page.next is None
                        await self._desk.tell(Found(keys, cursor, done))
                if not done:
                    await self._desk.tell(Found((), cursor, done=True))
                done = True
            except ITwinError as error:
                if cursor is None or not _is_stale(error) or restarts == _RESTARTS:
                    raise
                cursor, restarts = None, restarts + 1
        if outer is None and not done:
            await self._desk.tell(Found((), None, done=True))
        # Else a worker may look for lists before the last of them are written.
        await self._desk.settle()
        self._feed.all_known = True
        self._feed.tell()

    async def _work(self) -> None:
        while (entry := await self._feed.next()) is not None:
            await self._walk(entry)

    async def _walk(self, entry: Entry) -> None:
        cursor, restarts = entry.cursor, 0
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
                        shifting = page.numbered
                        await self._desk.tell(Rows(entry, page, cursor, done, shifting))
            except ITwinError as error:
                if cursor is not None and _is_stale(error) and restarts < _RESTARTS:
                    cursor, restarts = None, restarts + 1
                    await self._desk.tell(Restarted(entry))
                    continue
                await self._fail(entry, error)
                return
            if not done:
                await self._desk.tell(Ended(entry))
            return

    async def _fail(self, entry: Entry, error: ITwinError) -> None:
        if self._fail_fast or isinstance(error, AuthenticationError | ConfigurationError):
            raise error
        if isinstance(error, TransportError | ServerError | RateLimitError):
            # Where one list after another fails like this it is no list's fault.
            self._outages += 1
            if self._outages > self._patience:
                raise error
        await self._desk.tell(Failed(entry, type(error).__name__, str(error)))

    async def _tick(self) -> None:
        # Nothing is written while all calls wait for the quota, and somebody may be watching.
        while self._on_progress is not None:
            await asyncio.sleep(_TICK)
            self._tell(self._progress())

    def _saved(self) -> None:
        self._feed.tell()
        self._tell(self._progress())

    def _tell(self, progress: Progress) -> None:
        if self._on_progress is not None:
            self._on_progress(progress)

    def _progress(self) -> Progress:
        totals, meter = self._keeper.totals, self._meter
        return Progress(
            lists_known=totals.lists,
            lists_done=totals.done,
            lists_failed=totals.failed,
            all_known=self._feed.all_known,
            items=totals.items,
            new_items=totals.items - self._items_before,
            calls=meter.calls,
            refused=meter.refused,
            waiting=meter.waiting,
            seconds=time.monotonic() - self._started,
        )


def _is_stale(error: ITwinError) -> bool:
    """Tell whether a walk may succeed from its start where it cannot go on."""
    if isinstance(error, ArgumentError):
        return error.argument == "cursor"
    if isinstance(error, ApiError) and error.status == _GONE:
        return True
    return isinstance(error, InvalidRequestError)


def _title(item: Named) -> str | None:
    title = getattr(item, "display_name", None)
    return title if isinstance(title, str) else None


def _platform(session: Session) -> str:
    # A local platform is found at another port each time.
    url = session.base_url
    return "local" if urls.is_loopback(url.host or "") else str(url.origin())


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise TargetError(f"{path} cannot be made: {problem.strerror}") from None
