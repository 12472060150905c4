"""iModels of many iTwins as one list."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Protocol, TypeAlias

from itwin_async import bulk
from itwin_async._arguments import whole
from itwin_async.imodels.favorites import list_favorites
from itwin_async.imodels.imodels import list_imodels
from itwin_async.imodels.models import IModelSummary
from itwin_async.imodels.recents import list_recents
from itwin_async.paging import MAX_PAGE_SIZE, Pager
from itwin_async.session import Session

_ALL = 10000  # the most iTwins that the platform lists


class HasId(Protocol):
    """What has an id, such as an iTwin of any list."""

    @property
    def id(self) -> str:
        """The id."""
        ...


ITwins: TypeAlias = "Iterable[str | HasId] | AsyncIterable[str | HasId]"


def list_all_imodels(
    session: Session,
    itwins: ITwins | None = None,
    *,
    page_size: int | None = None,
    concurrency: int = 8,
    ordered: bool = True,
    errors: bulk.Errors = "raise",
) -> bulk.JoinedLists[str | HasId, IModelSummary]:
    """
    List every iModel of every iTwin.

    Args:
        session: the session.
        itwins: ids of iTwins, or iTwins; by default all that the calling user is a member of,
            inactive ones too, up to 10,000, which the platform lists at most.
        page_size: iModels a page, 1 to 1000; ``None`` for the platform's default, 100.
        concurrency: how many lists are begun at once.
        ordered: whether lists come in the order of the iTwins, or as they come.
        errors: ``"raise"``, or ``"collect"`` to leave lists that fail there and note them in
            ``failures``.

    """
    return _joined(
        session,
        itwins,
        list_imodels,
        page_size,
        concurrency=concurrency,
        ordered=ordered,
        errors=errors,
    )


def list_all_favorites(
    session: Session,
    itwins: ITwins | None = None,
    *,
    page_size: int | None = None,
    concurrency: int = 8,
    ordered: bool = True,
    errors: bulk.Errors = "raise",
) -> bulk.JoinedLists[str | HasId, IModelSummary]:
    """List the calling user's favorite iModels of every iTwin; see ``list_all_imodels``."""
    return _joined(
        session,
        itwins,
        list_favorites,
        page_size,
        concurrency=concurrency,
        ordered=ordered,
        errors=errors,
    )


def list_all_recents(
    session: Session,
    itwins: ITwins | None = None,
    *,
    page_size: int | None = None,
    concurrency: int = 8,
    ordered: bool = True,
    errors: bulk.Errors = "raise",
) -> bulk.JoinedLists[str | HasId, IModelSummary]:
    """List the recently used iModels of every iTwin; see ``list_all_imodels``."""
    return _joined(
        session,
        itwins,
        list_recents,
        page_size,
        concurrency=concurrency,
        ordered=ordered,
        errors=errors,
    )


class _List(Protocol):
    def __call__(
        self, session: Session, itwin_id: str, /, *, page_size: int | None
    ) -> Pager[IModelSummary]: ...


def _joined(
    session: Session,
    itwins: ITwins | None,
    list_of: _List,
    page_size: int | None,
    *,
    concurrency: int,
    ordered: bool,
    errors: bulk.Errors,
) -> bulk.JoinedLists[str | HasId, IModelSummary]:
    def imodels_of(session: Session, itwin: str | HasId) -> Pager[IModelSummary]:
        itwin_id = itwin if isinstance(itwin, str) else itwin.id
        return list_of(session, itwin_id, page_size=page_size)

    if page_size is not None:
        whole("page_size", page_size, 1, MAX_PAGE_SIZE)
    given = _all_itwins(session) if itwins is None else itwins
    return bulk.join(
        imodels_of, session, given, concurrency=concurrency, ordered=ordered, errors=errors
    )


def _all_itwins(session: Session) -> AsyncIterable[HasId]:
    # Who lists the iModels of one iTwin needs nothing of the other API.
    from itwin_async.itwins import list_itwins  # noqa: PLC0415

    return list_itwins(session, include_inactive=True, max_return=_ALL, page_size=MAX_PAGE_SIZE)
