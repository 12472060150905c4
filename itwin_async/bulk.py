"""
One operation for very many items: a fixed set of workers, not a task for each item.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, TypeVar

import attrs

from itwin_async.arguments import count
from itwin_async.errors import ITwinError, first_of
from itwin_async.session import Session

A = TypeVar("A")
R = TypeVar("R")


@attrs.frozen
class Failure(Generic[A]):
    """
    An item whose call failed, and why.
    """

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
) -> Report[A]:
    """
    Call an operation for each item, some at once, for instance ``imodels.add_favorite``.

    Items are drawn only as workers get free, so that a long source costs no memory.

    Args:
        function: the operation; called with the session and an item.
        session: the session.
        items: what to call it for; may be an async iterable such as a pager.
        concurrency: how many calls are under way at once.
        on_result: called with an item and its result, as results come.
        fail_fast: raise the first error instead of noting it; the other calls are cancelled.

    Returns:
        How many succeeded, and what failed.

    Raises:
        ArgumentError: ``concurrency`` is below 1.
        ITwinError: with ``fail_fast``, the first error.

    """
    count("concurrency", concurrency)
    report: Report[A] = Report()

    async def call(item: A) -> None:
        try:
            result = await function(session, item)
        except ITwinError as error:
            if fail_fast:
                raise
            report.failures.append(Failure(item, error))
            return
        report.done += 1
        if on_result is not None:
            on_result(item, result)

    try:
        await _share(call, items, concurrency)
    except* ITwinError as group:
        first = first_of(group)
    else:
        return report
    raise first


async def _share(
    call: Callable[[A], Awaitable[None]], items: Iterable[A] | AsyncIterable[A], workers: int
) -> None:
    async with asyncio.TaskGroup() as group:
        if isinstance(items, AsyncIterable):
            source, lock = aiter(items), asyncio.Lock()
            for _ in range(workers):
                group.create_task(_work_async(call, source, lock))
        else:
            shared = iter(items)
            for _ in range(workers):
                group.create_task(_work(call, shared))


async def _work(call: Callable[[A], Awaitable[None]], items: Iterable[A]) -> None:
    for item in items:
        await call(item)


async def _work_async(
    call: Callable[[A], Awaitable[None]], items: AsyncIterator[A], lock: asyncio.Lock
) -> None:
    while True:
        async with lock:
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
        await call(item)
