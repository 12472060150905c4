"""The same lists into the same forms by hand: no cursor, no ids, nothing to go on with."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from gzip import open as open_gzip
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import attrs

from benchmarks.harvest.work import PAGE, keys
from benchmarks.plan import TOKEN
from itwin_async import Session, imodels
from itwin_async.paging import Page

if TYPE_CHECKING:
    import pyarrow as pa

Write: TypeAlias = Callable[[str, Page[imodels.IModel]], None]

_PLAIN = [
    field.name for field in attrs.fields(imodels.IModel) if field.name not in {"extent", "links"}
]
_MOMENTS = ["harvested_at", "first_seen", "last_seen", "removed_at"]
_CORNERS = ["south_west", "north_east"]
_EXTENT = [f"extent_{corner}_{axis}" for corner in _CORNERS for axis in ("latitude", "longitude")]
_NAMES = ["list", "list_name", *_PLAIN, *_EXTENT, "json", *_MOMENTS]
_ENOUGH = 50_000

_values = attrgetter(*_PLAIN)


async def write_by_hand(url: str, lists: int, target: str, concurrency: int = 16) -> None:
    """Read all lists and write them, in order of arrival."""
    left, count = iter(keys(lists)), 0

    async def work(session: Session, write: Write) -> None:
        nonlocal count
        for key in left:
            pager = imodels.list_favorites(session, key, page_size=PAGE, prefetch=0).full()
            async for page in pager.pages():
                write(key, page)
                count += len(page.items)

    with _writer(target) as write:
        async with Session(TOKEN, base_url=url) as session, asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work(session, write))
    if count != lists * PAGE:
        raise RuntimeError(f"{count} of {lists * PAGE} items were written")


def _writer(target: str) -> AbstractContextManager[Write]:
    if target.startswith("postgresql:"):
        return _postgresql(target)
    path = Path(target)
    return _WRITERS.get(path.suffix, _lines)(path)


def _rows(key: str, page: Page[imodels.IModel]) -> Iterator[tuple[Any, ...]]:
    now = _now()
    for item, text in zip(page.items, page.raw_items(), strict=True):
        extent = item.extent
        corners = (
            (None,) * 4
            if extent is None
            else (
                extent.south_west.latitude,
                extent.south_west.longitude,
                extent.north_east.latitude,
                extent.north_east.longitude,
            )
        )
        plain = [str(each) if isinstance(each, datetime) else each for each in _values(item)]
        yield (key, None, *plain, *corners, text.decode(), now, now, now, None)


@contextmanager
def _sqlite(target: Path) -> Iterator[Write]:
    with closing(sqlite3.connect(target)) as database:
        database.execute(f"CREATE TABLE items ({', '.join(_NAMES)}, UNIQUE (list, id))")
        insert = f"INSERT INTO items VALUES ({', '.join('?' * len(_NAMES))})"
        yield lambda key, page: database.executemany(insert, _rows(key, page))
        database.commit()


@contextmanager
def _lines(target: Path) -> Iterator[Write]:
    with _opened(target) as file:

        def write(key: str, page: Page[imodels.IModel]) -> None:
            now = _now()
            head = (
                f'{{"list":"{key}","list_name":null,"harvested_at":"{now}","first_seen":"{now}",'
                f'"last_seen":"{now}","removed_at":null,"item":'
            ).encode()
            file.write(b"".join(head + text + b"}\n" for text in page.raw_items()))

        yield write


@contextmanager
def _opened(target: Path) -> Iterator[BinaryIO]:
    if target.suffix == ".gz":
        with open_gzip(target, "wb", compresslevel=6) as packed:
            yield packed  # type: ignore[misc]
    elif target.suffix == ".zst":
        import zstandard  # noqa: PLC0415 - an extra

        with target.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as stream:
            yield stream
    else:
        with target.open("wb") as file:
            yield file


@contextmanager
def _parquet(target: Path) -> Iterator[Write]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    with (
        pq.ParquetWriter(target, _schema(), compression="zstd") as file,
        _tables(file.write) as write,
    ):
        yield write


@contextmanager
def _delta(target: Path) -> Iterator[Write]:
    import deltalake  # noqa: PLC0415 - an extra

    def append(table: pa.Table) -> None:
        deltalake.write_deltalake(str(target), table, mode="append")

    with _tables(append) as write:
        yield write


@contextmanager
def _tables(take: Callable[[pa.Table], object]) -> Iterator[Write]:
    """Gather rows, and hand over a table as soon as there are enough."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    rows: list[tuple[Any, ...]] = []

    def flush() -> None:
        columns = map(list, zip(*rows, strict=True))
        take(pa.table(dict(zip(_NAMES, columns, strict=True)), _schema()))
        rows.clear()

    def write(key: str, page: Page[imodels.IModel]) -> None:
        rows.extend(_rows(key, page))
        if len(rows) >= _ENOUGH:
            flush()

    yield write
    if rows:
        flush()


@contextmanager
def _postgresql(target: str) -> Iterator[Write]:
    import psycopg  # noqa: PLC0415 - an extra

    server, _, schema = target.partition("?schema=")
    other = dict.fromkeys(_EXTENT, "double precision") | {"is_secured": "boolean"}
    columns = ", ".join(f"{name} {other.get(name, 'text')}" for name in _NAMES)
    with psycopg.connect(server) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"CREATE TABLE {schema}.items ({columns}, UNIQUE (list, id))")

        def write(key: str, page: Page[imodels.IModel]) -> None:
            with connection.cursor().copy(f"COPY {schema}.items FROM STDIN") as copy:
                for row in _rows(key, page):
                    copy.write_row(row)

        yield write


def _schema() -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    other = {"is_secured": pa.bool_(), "containers_enabled": pa.int64()}
    other |= dict.fromkeys(_EXTENT, pa.float64())
    return pa.schema([(name, other.get(name, pa.string())) for name in _NAMES])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


_WRITERS = {".db": _sqlite, ".parquet": _parquet, ".delta": _delta}
