"""One operation for very many items: a fixed set of workers, not a task for each item."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Generic, TypeVar

import attrs

from itwin_async._arguments import invalid, whole
from itwin_async._tasks import Owner, cancellations, ungrouped
from itwin_async.errors import ITwinError
from itwin_async.paging import Pager
from itwin_async.session import Session

A = TypeVar("A")
R = TypeVar("R")


@attrs.frozen
class Failure(Generic[A]):
    """An item whose call failed, and why."""

    item: A
    error: ITwinError


@attrs.define
class Report(Generic[A]):
    """
    What came of a bulk run.

    Attributes:
        done: how many calls succeeded.
        failures: the items that failed, in the order in which they did.

    """

    done: int = 0
    failures: list[Failure[A]] = attrs.field(factory=list)


async def each(
    function: Callable[[Session, A], Awaitable[R]],
    session: Session,
    items: Iterable[A] | AsyncIterable[A],
    *,
    concurrency: int = 16,
    on_result: Callable[[A, R], object] | None = None,
    fail_fast: bool = False,
    report: Report[A] | None = None,
) -> Report[A]:
    """
    Call an operation for each item, some at once, for instance ``imodels.add_favorite``.

    Items are drawn only as workers get free, so that a long source costs no memory.

    Args:
        function: the operation; called with the session and an item.
        session: the session.
        items: what to call it for; may be an async iterable such as a pager. Each item is handed
            over as it is; where the operation takes ids, give ``(imodel.id async for imodel in
            imodels.list_all_imodels(session))``.
        concurrency: how many calls are under way at once.
        on_result: called with an item and its result, as results come.
        fail_fast: raise the first error instead of noting it; the other calls are cancelled.
        report: written to as calls end; hand in your own to have it although something is raised.

    Returns:
        How many succeeded, and what failed.

    Raises:
        ArgumentError: ``concurrency`` is below 1, or ``items`` is no iterable of items.
        TypeError: ``function`` returns a pager, of which only the first page would be read.
        ITwinError: with ``fail_fast``, the first error.
        Exception: what ``items`` raised, after the calls for what they gave before have ended; or
            what ``function`` or ``on_result`` raised that is no ``ITwinError``, at once.

    """
    whole("concurrency", concurrency, 1)
    check_items(items)
    told = Report[A]() if report is None else report
    owner = Owner()

    async def call(item: A) -> None:
        before = cancellations()
        try:
            result = await one_result(function(session, item))
        except ITwinError as problem:
            error = problem
        except asyncio.CancelledError:
            if not owner.takes_back(before):
                raise
            error = ITwinError("the call was cancelled by something that it waited for")
        else:
            told.done += 1
            if on_result is not None:
                _hand_out(on_result, item, result)
            return
        if fail_fast:
            raise error
        told.failures.append(Failure(item, error))

    source: _Source[A] = _Source(owner)
    try:
        await ungrouped(source.share(call, items, concurrency))
    finally:
        await source.close()
    if source.problem is not None:
        raise source.problem
    return told


def _hand_out(on_result: Callable[[A, R], object], item: A, result: R) -> None:
    try:
        on_result(item, result)
    except asyncio.CancelledError:
        raise ITwinError("on_result raised CancelledError") from None


def check_items(items: object) -> None:
    """Check for an iterable of items, which a text is not."""
    if isinstance(items, str | bytes) or not isinstance(items, Iterable | AsyncIterable):
        raise invalid("items", items, "an iterable of items")


def one_result(coming: Awaitable[R]) -> Awaitable[R]:
    """Check that a function gives a result and not a pager."""
    # It can be awaited, but gives its first page only.
    given: object = coming
    if isinstance(given, Pager):
        raise TypeError(
            "function returns a pager, of which only the first page would be read; "
            "give a function of your own that awaits pager.collect()"
        )
    return coming


class _Source(Generic[A]):
    """Items for many workers; what it raises is kept until the calls under way have ended."""

    def __init__(self, owner: Owner) -> None:
        self.problem: Exception | None = None
        self._owner = owner
        self._own: AsyncIterator[A] | None = None

    async def share(
        self,
        call: Callable[[A], Awaitable[None]],
        items: Iterable[A] | AsyncIterable[A],
        workers: int,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            if isinstance(items, AsyncIterable):
                drawn, lock = aiter(items), asyncio.Lock()
                self._own = None if drawn is items else drawn
                for _ in range(workers):
                    group.create_task(self._work_async(call, drawn, lock))
            else:
                shared = iter(items)
                for _ in range(workers):
                    group.create_task(self._work(call, shared))

    async def close(self) -> None:
        # A walk that was begun here ends here; what the caller began is the caller's.
        close: Callable[[], Awaitable[object]] | None = getattr(self._own, "aclose", None)
        if close is not None:
            await close()

    async def _work(self, call: Callable[[A], Awaitable[None]], items: Iterator[A]) -> None:
        while self.problem is None:
            try:
                item = next(items)
            except StopIteration:
                return
            except asyncio.CancelledError:
                self.problem = ITwinError("items raised CancelledError")
                return
            except Exception as problem:  # noqa: BLE001 - it is raised when all calls have ended
                self.problem = problem
                return
            await call(item)

    async def _work_async(
        self, call: Callable[[A], Awaitable[None]], items: AsyncIterator[A], lock: asyncio.Lock
    ) -> None:
        while True:
            async with lock:
                if self.problem is not None:
                    return
                before = cancellations()
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                except asyncio.CancelledError:
                    if not self._owner.takes_back(before):
                        raise
                    self.problem = ITwinError("items were cancelled by something they waited for")
                    return
                except Exception as problem:  # noqa: BLE001 - as above
                    self.problem = problem
                    return
            await call(item)
