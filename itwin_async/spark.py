"""
Lists of the platform as DataFrames of PySpark 4; needs the extra ``spark``.

``spark.dataSource.register(ITwinDataSource)``, then ``spark.read.format("itwin")``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from itwin_async._arguments import invalid, one_of, whole
from itwin_async.errors import ArgumentError
from itwin_async.harvest.blocking import SessionThread, session_of
from itwin_async.harvest.itwin_filters import Filters
from itwin_async.harvest.lists import list_names, lists
from itwin_async.harvest.sources import Source
from itwin_async.harvest.stream import ArrowRows, Found, find_lists, read_lists
from itwin_async.paging import MAX_PAGE_SIZE
from itwin_async.quota import parse_quota
from itwin_async.session import Session
from itwin_async.settings import Settings

if TYPE_CHECKING:
    from itwin_async._http.credentials import TokenSource

__all__ = ["ITwinDataSource"]

_OPTIONS = (
    *("list", "itwins", "imodels", "of", "full", *Filters.__annotations__),
    *("page_size", "concurrency", "shards", "quota", "base_url", "credentials"),
)
_SECRETS = ("token", "secret", "password", "authorization")


@attrs.frozen
class _Shard(InputPartition):
    """Whole lists that one task reads."""

    lists: Sequence[Found]


@attrs.frozen
class _Read:
    """What the options say, checked; it is pickled for the workers and holds no secret."""

    source: Source[object]
    page_size: int
    concurrency: int
    shards: int
    settings: Settings
    credentials: str

    def open(self) -> SessionThread[pa.RecordBatch]:
        """Make a session of this process, driver or worker."""
        return SessionThread(self._session)

    def _session(self) -> Session:
        token: TokenSource | None = None
        if self.credentials:
            module, _, name = self.credentials.partition(":")
            token = getattr(import_module(module), name)()
        return session_of(token, self.settings)


class ITwinDataSource(DataSource):
    """
    A list of the platform as a DataFrame, one row for each item.

    The rows have the columns of a harvest's Parquet files: ``list`` and ``list_name``, the typed
    columns of the items, nested ones too, ``json`` and ``harvested_at``. A partition is a number of
    whole lists, such as the iModels of some iTwins. The driver reads the lists that lead to them,
    once for each action.

    Driver and workers take their credentials from the environment, as ``Session.from_env`` does, or
    from the function that the option ``credentials`` names. The options are shown in plans and in
    Spark's UI, and so none of them takes a secret.

    Options:

    - ``list``: name of the list, such as ``imodels``; see ``harvest.list_names``.
    - ``itwins``, ``imodels``: ids with commas between them, or the name of a file of the driver
      that holds one a line; by default all.
    - ``of``: ``itwins``, ``favorite-itwins`` or ``recent-itwins``, where iTwins are not given.
    - ``include_inactive``, ``status``, ``sub_class``, ``type``, ``display_name``, ``number``,
      ``parent_id``, ``itwin_account_id``, ``search``: which iTwins of these lists, as for
      ``harvest.lists``; several statuses and sub-classes with commas between them.
    - ``full``: ``true`` for whole entities where there are summaries.
    - ``page_size``: items a page, 1 to 1000, by default 1000.
    - ``concurrency``: how many lists a task reads at once, by default 4.
    - ``shards``: the most partitions, by default 16.
    - ``quota``: calls and seconds that each running task may use, such as ``100/60``; by default
      each task learns its pace.
    - ``base_url``: the platform, by default that of the environment.
    - ``credentials``: ``module:function``; the function is called without arguments in each process
      that needs it, and returns what ``Session`` takes as a token.
    """

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "itwin"

    def schema(self) -> StructType:
        """
        Describe the columns.

        Raises:
            ArgumentError: an option is unknown or has a value that is not allowed.

        """
        return from_arrow_schema(ArrowRows(_checked(self.options).source, flat=False).schema)

    def reader(self, schema: StructType) -> ITwinReader:
        """
        Make the reader.

        Raises:
            ArgumentError: as ``schema``, or a schema of the caller's has columns that are not
                there, or are of another type.

        """
        return ITwinReader(_checked(self.options), schema)


class ITwinReader(DataSourceReader):
    """Divides a list of lists into partitions, and reads them."""

    def __init__(self, read: _Read, schema: StructType) -> None:
        self._read = read
        known = ArrowRows(read.source, flat=False).schema
        kinds = {field.name: field.dataType for field in from_arrow_schema(known)}
        for field in schema:
            if kinds[one_of("schema", field.name, kinds)] != field.dataType:
                allowed = f"{kinds[field.name].simpleString()} for the column {field.name}"
                raise invalid("schema", field.dataType.simpleString(), allowed)
        self._schema = pa.schema(
            [known.field(field.name).with_nullable(field.nullable) for field in schema]
        )

    def partitions(self) -> Sequence[InputPartition]:
        """
        Find the lists, on the driver, and divide them into shards.

        Raises:
            ITwinError: a list that leads to them cannot be read.

        """
        read = self._read
        found: list[Found] = []

        async def find(session: Session, _: object) -> None:
            found.extend(await find_lists(session, read.source, read.page_size))

        list(read.open().iterate(find))
        shards = [found[number :: read.shards] for number in range(read.shards)]
        return [_Shard(shard) for shard in shards if shard] or [_Shard(())]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """
        Read the lists of a partition, with a session of its own.

        Raises:
            ITwinError: a list cannot be read; Spark runs the task again.

        """
        if not isinstance(partition, _Shard):
            raise invalid("partition", partition, "one of partitions()")
        read, schema = self._read, self._schema
        work = partial(
            read_lists,
            source=read.source,
            lists=partition.lists,
            rows=ArrowRows(read.source, flat=False),
            page_size=read.page_size,
            concurrency=read.concurrency,
        )
        for batch in read.open().iterate(work):
            yield pa.RecordBatch.from_arrays(batch.select(schema.names).columns, schema=schema)


def _checked(options: Mapping[str, str]) -> _Read:
    for name in options:
        if any(part in name.lower() for part in _SECRETS):
            raise ArgumentError(
                f"the option {name} is refused, since Spark shows options in plans and its UI; set "
                "ITWIN_ACCESS_TOKEN, or ITWIN_CLIENT_ID and ITWIN_CLIENT_SECRET, in the "
                "environment of driver and workers, or give credentials='module:function'",
                argument=name,
            )
        one_of("option", name.lower(), _OPTIONS)
    given = options.get
    (source,) = lists(
        one_of("list", given("list"), list_names()),
        itwin_ids=_ids(given("itwins")),
        imodel_ids=_ids(given("imodels")),
        of=given("of"),
        full=_flag("full", given("full", "false")),
        **_filters(options),
    )
    credentials = given("credentials", "")
    if credentials and not all(credentials.partition(":")):
        raise invalid("credentials", credentials, "a module and a function, such as 'jobs:token'")
    settings = Settings()
    if quota := given("quota"):
        try:
            settings["quota"] = parse_quota(quota)
        except ValueError:
            raise invalid("quota", quota, "calls and seconds, such as '500/60'") from None
    if base_url := given("base_url"):
        settings["base_url"] = base_url
    return _Read(
        source,
        _number("page_size", given("page_size", "1000"), MAX_PAGE_SIZE),
        _number("concurrency", given("concurrency", "4")),
        _number("shards", given("shards", "16")),
        settings,
        credentials,
    )


def _filters(options: Mapping[str, str]) -> Filters:
    found: dict[str, object] = {}
    for name in Filters.__annotations__:
        value = options.get(name)
        if value is None:
            continue
        if name == "include_inactive":
            found[name] = _flag(name, value)
        else:
            found[name] = _parts(value) if name in {"status", "sub_class"} else value
    return cast("Filters", found)


def _flag(name: str, text: str) -> bool:
    return one_of(name, text.lower(), ("true", "false")) == "true"


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _ids(text: str | None) -> list[str] | str | None:
    """Read ids with commas between them, or leave the name of a file as it is."""
    if text is None or Path(text).is_file() or set(text) & set("./\\"):
        return text
    return _parts(text)


def _number(name: str, text: str, most: int | None = None) -> int:
    return whole(name, int(text) if text.isdecimal() else text, 1, most)
