"""Lists of the platform as a source of dlt; needs the extra ``dlt``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias, Unpack, cast

import attrs
import dlt
import pyarrow as pa
from dlt.extract import DltResource, DltSource

from itwin_async import imodels
from itwin_async._arguments import flag, one_of, whole
from itwin_async.errors import ArgumentError
from itwin_async.harvest.blocking import Put, SessionThread, session_of
from itwin_async.harvest.ids import Ids
from itwin_async.harvest.itwin_filters import Filters
from itwin_async.harvest.lists import lists
from itwin_async.harvest.sources import Inner, Source
from itwin_async.harvest.stream import ArrowRows, find_lists, read_lists
from itwin_async.paging import MAX_PAGE_SIZE, Pager
from itwin_async.session import Session
from itwin_async.settings import Settings

if TYPE_CHECKING:
    from itwin_async._http.credentials import TokenSource

__all__ = ["source"]

Disposition: TypeAlias = Literal["merge", "replace"]

_UPLOADED = "fileUploaded"


def source(
    *names: str,
    token: TokenSource | None = None,
    itwin_ids: Ids | None = None,
    imodel_ids: Ids | None = None,
    of: str | None = None,
    filters: Filters | None = None,
    full: bool = False,
    page_size: int = 1000,
    concurrency: int = 8,
    write_disposition: Disposition = "merge",
    incremental: bool = True,
    **settings: Unpack[Settings],
) -> DltSource:
    """
    Make a source of dlt with a resource for each list: ``pipeline.run(source("imodels"))``.

    A resource yields an Arrow table for each page, with the flat, typed columns of a harvest's
    tables, beside them ``list``, ``list_name``, ``json`` and ``harvested_at``. The primary key is
    ``list`` and ``id``. A list that fails ends the extraction, of which dlt then loads nothing.

    Args:
        names: such as ``"imodels"`` and ``"named-versions"``; see ``harvest.list_names``.
        token: as for ``Session``; by default that of the environment, see ``Session.from_env``.
        itwin_ids: as for ``harvest.lists``.
        imodel_ids: as for ``harvest.lists``.
        of: as for ``harvest.lists``.
        filters: which iTwins of these lists, as for ``harvest.lists``.
        full: whole entities where there are summaries.
        page_size: items a page, 1 to 1000.
        concurrency: how many lists of a resource are read at once.
        write_disposition: ``"merge"`` updates rows by their key and keeps those that vanished from
            the platform; ``"replace"`` writes the table anew.
        incremental: ask for changesets behind the last one of the run before only. It takes the
            write disposition ``"merge"``; other lists cannot be asked for less.
        settings: as for ``Session.from_env``. The resources of a run share one session, its pool
            and its quota; it lives in a thread of its own, and so takes no ``client_session`` and
            no ``connector``.

    Raises:
        ArgumentError: an argument is not what it must be, before any request.

    """
    for name in ("client_session", "connector"):
        if settings.get(name) is not None:
            raise ArgumentError(
                f"{name} cannot be given: the session has an event loop of its own", argument=name
            )
    one_of("write_disposition", write_disposition, ("merge", "replace"))
    how = _How(
        SessionThread(lambda: session_of(token, settings)),
        whole("page_size", page_size, 1, MAX_PAGE_SIZE),
        whole("concurrency", concurrency, 1),
        flag("incremental", incremental),
    )
    chosen = filters or Filters()
    found = lists(*names, itwin_ids=itwin_ids, imodel_ids=imodel_ids, of=of, full=full, **chosen)
    resources = [how.resource(each, write_disposition) for each in found]
    return DltSource(dlt.Schema("itwin"), "itwin", resources)


@attrs.frozen
class _How:
    """How the resources of a source are read."""

    session: SessionThread[pa.RecordBatch]
    page_size: int
    concurrency: int
    incremental: bool

    def resource(self, source: Source[object], write_disposition: Disposition) -> DltResource:
        """Make the resource of a list."""

        def tables() -> Iterator[pa.Table]:
            return self._read(source)

        made = dlt.resource(
            tables,
            name=source.table,
            primary_key=("list", "id"),
            write_disposition=write_disposition,
        )
        return made()

    def _read(self, source: Source[object]) -> Iterator[pa.Table]:
        rows = ArrowRows(source, flat=True)
        yield rows.schema.empty_table()  # so that the table is there although there are no rows
        if source.name != "changesets" or not self.incremental:
            yield from self._tables(source, rows)
            return
        # dlt empties the state where the table is replaced.
        marks = dlt.current.resource_state(source.table).setdefault("after_index", {})
        ends = _Ends()
        for table in self._tables(attrs.evolve(source, inner=_after(source, dict(marks))), rows):
            ends.add(table)
            yield table
        marks.update(ends.marks())

    def _tables(self, source: Source[object], rows: ArrowRows) -> Iterator[pa.Table]:
        for batch in self.session.iterate(partial(self._work, source, rows)):
            yield pa.Table.from_batches([batch])

    async def _work(
        self,
        source: Source[object],
        rows: ArrowRows,
        session: Session,
        put: Put[pa.RecordBatch],
        /,
    ) -> None:
        found = await find_lists(session, source, self.page_size)
        await read_lists(
            session,
            put,
            source=source,
            lists=found,
            rows=rows,
            page_size=self.page_size,
            concurrency=self.concurrency,
        )


def _after(source: Source[object], marks: Mapping[str, int]) -> Inner[object]:
    """Make lists of changesets that begin behind the marks."""
    whole = source.parameters.get("prefer") == "representation"

    def inner(
        session: Session, key: str, /, *, page_size: int, cursor: str | None
    ) -> Pager[object]:
        after = marks.get(key)
        pager = imodels.list_changesets(
            session, key, after_index=after, page_size=page_size, cursor=cursor
        )
        return cast("Pager[object]", pager.full() if whole else pager)

    return inner


class _Ends:
    """How far the changesets of each list are known and their files are there."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._waiting: dict[str, int] = {}

    def add(self, table: pa.Table) -> None:
        """Take a page."""
        rows = zip(*(table[name].to_pylist() for name in ("list", "index", "state")), strict=True)
        for key, index, state in rows:
            if index is not None:
                self._last[key] = max(index, self._last.get(key, 0))
                if state != _UPLOADED:
                    self._waiting[key] = min(index, self._waiting.get(key, index))

    def marks(self) -> dict[str, int]:
        """Give the index of each list behind which the next run begins."""
        return {key: self._waiting.get(key, last + 1) - 1 for key, last in self._last.items()}
