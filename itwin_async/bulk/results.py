"""Results of calls for many items, streamed in order or as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, Literal, Self, TypeAlias, TypeVar

import attrs

from itwin_async._arguments import flag, one_of, whole
from itwin_async._http.client import Client
from itwin_async._tasks import cancel_anywhere, cancellations
from itwin_async.bulk.each import Failure, check_items, one_result
from itwin_async.errors import ConfigurationError, ITwinError
from itwin_async.session import Session, internals_of

A = TypeVar("A")
R = TypeVar("R")

Errors: TypeAlias = Literal["raise", "collect"]


@attrs.frozen(eq=False)
class _Outcome(Generic[A, R]):
    item: A
    results: tuple[R, ...] = ()
    error: BaseException | None = None


class Results(Generic[A, R]):
    """
    One pass over the results of calls; see ``map``.

    Breaking out of the loop, cancelling or dropping it cancels the calls that are under way.

    Attributes:
        failures: the items that failed and were left out, in the order of the results.

    """

    __slots__ = ("__weakref__", "_busy", "_calls", "_errors", "_item", "failures")

    def __init__(self, calls: _Calls[A, R], errors: Errors) -> None:
        self.failures: list[Failure[A]] = []
        self._calls = calls
        self._errors = errors
        self._item: A | None = None
        self._busy = False

    @property
    def item(self) -> A | None:
        """The item of the result that was handed out last."""
        return self._item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        """
        Hand out the next result.

        Raises:
            ITwinError: a call failed, unless errors are collected.

        """
        if self._busy:
            raise ConfigurationError(
                "another task is waiting in this iterator; use a lock, or one iterator per task"
            )
        self._busy = True
        try:
            while True:
                outcome = await self._calls.next()
                self._item = outcome.item
                if outcome.error is None:
                    return outcome.results[0]
                if self._errors == "raise" or not isinstance(outcome.error, ITwinError):
                    raise outcome.error
                self.failures.append(Failure(outcome.item, outcome.error))
        except BaseException:
            self._calls.cancel()
            raise
        finally:
            self._busy = False

    async def aclose(self) -> None:
        """End the iteration and wait until nothing of it is under way."""
        await self._calls.aclose()

    def __del__(self) -> None:
        self._calls.cancel()


class _Calls(Generic[A, R]):
    """The calls of one pass; their tasks hold this, and not the iterator that ends them."""

    def __init__(
        self,
        client: Client,
        call: Callable[[A], Awaitable[R]],
        items: Iterable[A] | AsyncIterable[A],
        concurrency: int,
        *,
        ordered: bool,
    ) -> None:
        self._client = client
        self._call = call
        self._items = items
        self._ordered = ordered
        # Results that nobody has taken count too, so that they cannot pile up.
        self._room = asyncio.Semaphore(concurrency)
        self._coming: asyncio.Queue[asyncio.Task[_Outcome[A, R]] | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[_Outcome[A, R]]] = set()
        self._feeder: asyncio.Task[None] | None = None
        self._problem: BaseException | None = None
        self._untaken = 0
        self._all_begun = self._closed = False

    async def next(self) -> _Outcome[A, R]:
        if self._feeder is None and not self._closed:
            self._feeder = self._client.spawn(self._feed())
        while not self._closed and (self._untaken or not self._all_begun):
            task = await self._coming.get()
            if task is None:
                self._all_begun = True
                continue
            await asyncio.wait([task])
            self._untaken -= 1
            self._room.release()
            if not task.cancelled():
                return task.result()
            self._client.ready()
            raise ITwinError("a call was cancelled by something else than its iterator")
        if not self._closed:
            self._closed = True
            if self._problem is not None:
                raise self._problem
            self._client.ready()  # or the session was closed meanwhile
        raise StopAsyncIteration

    def cancel(self) -> None:
        self._closed = True
        for task in (*self._tasks, *([self._feeder] if self._feeder else [])):
            cancel_anywhere(task)

    async def aclose(self) -> None:
        tasks, feeder = tuple(self._tasks), self._feeder
        self.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if feeder is not None:
            await asyncio.gather(feeder, return_exceptions=True)

    async def _feed(self) -> None:
        drawn: AsyncIterator[A] | None = None
        try:
            if isinstance(self._items, AsyncIterable):
                drawn = aiter(self._items)
                while True:
                    await self._room.acquire()
                    self._begin(await anext(drawn))
            for item in self._items:
                await self._room.acquire()
                self._begin(item)
        except StopAsyncIteration:
            pass
        except Exception as problem:  # noqa: BLE001 - it is raised behind the results before it
            self._problem = problem
        finally:
            self._coming.put_nowait(None)
            close = None if drawn is self._items else getattr(drawn, "aclose", None)
            if close is not None:
                await close()  # what was begun here ends here

    def _begin(self, item: A) -> None:
        task = self._client.spawn(self._outcome(item))
        self._untaken += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._ordered:
            self._coming.put_nowait(task)
        else:
            task.add_done_callback(self._coming.put_nowait)

    async def _outcome(self, item: A) -> _Outcome[A, R]:
        before = cancellations()
        try:
            return _Outcome(item, (await self._call(item),))
        except asyncio.CancelledError:
            if cancellations() > before:
                raise
            text = "the call was cancelled by something that it waited for"
            return _Outcome(item, error=ITwinError(text))
        except Exception as error:  # noqa: BLE001 - it is raised in its turn
            return _Outcome(item, error=error)


def map(  # noqa: A001 - what it does
    function: Callable[[Session, A], Awaitable[R]],
    session: Session,
    items: Iterable[A] | AsyncIterable[A],
    *,
    concurrency: int = 16,
    ordered: bool = True,
    errors: Errors = "raise",
) -> Results[A, R]:
    """
    Call an operation for each item, some at once, and stream the results.

    ``async for imodel in bulk.map(imodels.get_imodel, session, imodel_ids)``. Items are drawn only
    as results are taken: there are never more than ``concurrency`` calls and results at hand.

    Args:
        function: the operation; called with the session and an item.
        session: the session.
        items: what to call it for; may be an async iterable such as a pager.
        concurrency: how many calls are under way at once, those included whose results wait.
        ordered: whether results come in the order of the items, or as they come.
        errors: whether the first ``ITwinError`` ends the iteration, or failed items are left out
            and noted in ``failures``.

    Raises:
        ArgumentError: an argument has a wrong type or value.
        TypeError: while iterating: ``function`` returns a pager; use ``join`` for lists.

    """
    whole("concurrency", concurrency, 1)
    check_items(items)
    one_of("errors", errors, ("raise", "collect"))
    client = internals_of(session).client

    async def call(item: A) -> R:
        return await one_result(function(session, item))

    calls = _Calls(client, call, items, concurrency, ordered=flag("ordered", ordered))
    return Results(calls, errors)
