"""Operations that list entities over pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import attrs

from itwin_async.models import Id
from itwin_async.operations.kinds import Operation, Query
from itwin_async.paging import DetailPager, List, NumberedPaging, Pager, Paging, PagingMode
from itwin_async.session import Session

T = TypeVar("T")


F = TypeVar("F")


@attrs.frozen(eq=False, kw_only=True)
class ListOperation(Operation, Generic[T]):
    """
    An operation that lists entities over pages.

    Attributes:
        item: class of the entities.
        key: member of the answer that holds them.
        paging: ``"token"`` for continuation tokens, ``"skip"`` for pages numbered by ``$skip``,
            ``"both"`` for tokens, and numbers where several pages are wanted at once, ``"top"``
            where only the page size can be chosen, ``"none"`` for one page.

    """

    kind = "list"

    item: type[T]
    key: str
    paging: PagingMode

    @property
    def result(self) -> str:
        """What its function returns, for people."""
        return f"Pager[{self.item.__name__}]"

    def __call__(
        self,
        session: Session,
        query: Query,
        paging: Paging | NumberedPaging,
        *,
        headers: Mapping[str, str] | None = None,
        at: str | None = None,
        **ids: Id,
    ) -> Pager[T]:
        """
        Make a pager; nothing is requested yet.

        ``headers`` go with every page; ``at`` is requested instead of the operation's own path.
        """
        path = self.quoted_path(ids) if at is None else at
        listed = self._list(session, self.item, headers or {}, query, path)
        return Pager(session, listed, self._checked(paging))

    def _list(
        self, session: Session, item: type[F], headers: Mapping[str, str], query: Query, path: str
    ) -> List[F]:
        return List(
            operation=self.name,
            path=path,
            query=tuple(query.items()),
            key=self.key,
            item=item,
            accept=self.accept,
            headers=headers,
            mode=self.paging,
            limit=self.limit_of(session),
        )

    def _checked(self, paging: Paging | NumberedPaging) -> NumberedPaging:
        unknown = paging.keys() - NumberedPaging.__annotations__.keys()
        if unknown:
            raise TypeError(f"{self.name}() got an unexpected keyword argument {min(unknown)!r}")
        return paging  # type: ignore[return-value]


@attrs.frozen(eq=False, kw_only=True)
class DetailListOperation(ListOperation[T], Generic[T, F]):
    """
    An operation that lists summaries, or whole entities.

    Attributes:
        full: class of the whole entities.

    """

    full: type[F]

    @property
    def result(self) -> str:
        """What its function returns, for people."""
        return f"DetailPager[{self.item.__name__}, {self.full.__name__}]"

    def __call__(
        self,
        session: Session,
        query: Query,
        paging: Paging | NumberedPaging,
        *,
        headers: Mapping[str, str] | None = None,
        at: str | None = None,
        **ids: Id,
    ) -> DetailPager[T, F]:
        """Make a pager, as for any list."""
        path = self.quoted_path(ids) if at is None else at
        minimal = {**(headers or {}), "Prefer": "return=minimal"}
        whole = {**minimal, "Prefer": "return=representation"}
        return DetailPager(
            session,
            self._list(session, self.item, minimal, query, path),
            self._list(session, self.full, whole, query, path),
            self._checked(paging),
        )
