"""The lists of many items as one, such as the iModels of many iTwins."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from typing import Generic, Self, TypeAlias, TypeVar

import attrs

from itwin_async._arguments import flag, instance, one_of, whole
from itwin_async.bulk.each import Failure, check_items
from itwin_async.bulk.results import Errors, Results
from itwin_async.bulk.results import map as mapped
from itwin_async.errors import ITwinError
from itwin_async.paging import Page, PageIterator, Pager
from itwin_async.session import Session

A = TypeVar("A")
T = TypeVar("T")

_Begun: TypeAlias = "tuple[PageIterator[T], Page[T]]"


@attrs.frozen(eq=False, repr=False)
class JoinedLists(Generic[A, T]):
    """Lists of many items, as one; nothing is requested before it is used. See ``join``."""

    _list: Callable[[Session, A], Pager[T]]
    _session: Session
    _items: Iterable[A] | AsyncIterable[A]
    _concurrency: int
    _ordered: bool
    _errors: Errors

    def __aiter__(self) -> JoinedIterator[A, T]:
        begun = mapped(
            partial(_begin, self._list),
            self._session,
            self._items,
            concurrency=self._concurrency,
            ordered=self._ordered,
            errors=self._errors,
        )
        return JoinedIterator(begun, self._errors)

    async def collect(self) -> list[T]:
        """
        Fetch everything into a list.

        Raises:
            ITwinError: a list failed, unless errors are collected.

        """
        return [found async for found in self]

    def __repr__(self) -> str:
        return f"<JoinedLists {getattr(self._list, '__name__', 'of many items')}>"


class JoinedIterator(Generic[A, T]):
    """
    One pass over the lists of many items.

    Breaking out of the loop, cancelling or dropping it cancels what is under way.
    """

    __slots__ = ("_begun", "_errors", "_failures", "_item", "_page", "_pages")

    def __init__(self, begun: Results[A, _Begun[T]], errors: Errors) -> None:
        self._begun = begun
        self._errors = errors
        self._failures = begun.failures
        self._item: A | None = None
        self._pages: PageIterator[T] | None = None
        self._page = iter(list[T]())

    @property
    def failures(self) -> list[Failure[A]]:
        """Items whose lists failed; the ``cursor`` of the error is where such a list goes on."""
        return self._failures

    @property
    def item(self) -> A | None:
        """The item whose list the last entry belongs to."""
        return self._item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """
        Hand out the next entry.

        Raises:
            ITwinError: a list failed, unless errors are collected.

        """
        while True:
            for found in self._page:
                return found
            if self._pages is not None:
                await self._turn(self._pages)
                continue
            self._pages, first = await anext(self._begun)
            self._item, self._page = self._begun.item, iter(first.items)

    async def _turn(self, pages: PageIterator[T]) -> None:
        try:
            self._page = iter((await anext(pages)).items)
        except StopAsyncIteration:
            self._pages = None
        except ITwinError as error:
            self._pages = None
            if self._errors == "raise" or self._item is None:
                await self._begun.aclose()
                raise
            self._failures.append(Failure(self._item, error))

    async def aclose(self) -> None:
        """End the iteration and wait until nothing of it is under way."""
        self._page = iter(())
        if self._pages is not None:
            await self._pages.aclose()
        await self._begun.aclose()


async def _begin(list_of: Callable[[Session, A], Pager[T]], session: Session, item: A) -> _Begun[T]:
    pages = list_of(session, item).pages()
    return pages, await anext(pages)


def join(
    list_of: Callable[[Session, A], Pager[T]],
    session: Session,
    items: Iterable[A] | AsyncIterable[A],
    *,
    concurrency: int = 8,
    ordered: bool = True,
    errors: Errors = "raise",
) -> JoinedLists[A, T]:
    """
    Stream the lists of many items as if they were one.

    ``async for version in bulk.join(imodels.list_named_versions, session, imodel_ids)``. The first
    pages of ``concurrency`` lists are under way at once; of each list no more than a page or two is
    held, however long it is.

    Args:
        list_of: a list function; called with the session and an item.
        session: the session.
        items: what to call it for; may be an async iterable such as a pager. Each item is handed
            over as it is, so that a list function that takes an id needs ids.
        concurrency: how many lists are begun at once.
        ordered: whether lists come in the order of the items, or as they come; entries of one list
            are never mixed with those of another.
        errors: whether the first ``ITwinError`` ends the iteration, or lists that fail are left
            there and noted in ``failures``.

    Raises:
        ArgumentError: an argument has a wrong type or value.

    """
    instance("session", session, Session, "a Session")
    check_items(items)
    one_of("errors", errors, ("raise", "collect"))
    return JoinedLists(
        list_of,
        session,
        items,
        whole("concurrency", concurrency, 1),
        flag("ordered", ordered),
        errors,
    )
