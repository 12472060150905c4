"""Parquet parts in an object store; what counts is what its manifest names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import islice
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TypeVar

from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.lake.columns import READ, RowColumns, rows_of
from itwin_async.harvest.lake.failing import explained, repeatedly
from itwin_async.harvest.lake.manifest import Manifest, Part
from itwin_async.harvest.lake.object_stores import library, store_of
from itwin_async.harvest.lake.protocol import (
    LakeState,
    LakeTable,
    ListRows,
    Revision,
    changed_meanwhile,
    refuse_others,
)
from itwin_async.harvest.progress import Failure
from itwin_async.harvest.rows import Row

if TYPE_CHECKING:
    import pyarrow as pa
    from obstore.store import ObjectStore

T = TypeVar("T")

_ROWS_OF_PART = 500_000
_SMALL = 32 * 2**20  # bytes of a part that is made one with others
_ABANDONED = timedelta(days=1)


class ObjectParquetTarget:
    """
    Parts below ``NAME/``, or ``NAME/TABLE/``; the manifest is in ``NAME.harvest/``.

    A part is uploaded beside the others, named in the manifest by a conditional write, and then
    copied to where readers look: whoever lists parts never sees one that does not count.

    Args:
        store: an ``obstore`` store that has conditional writes.
        path: path in the store; its name ends in ``.parquet``.
        name: what it is called in messages.
        sleep: waits before a commit that was refused is made again.

    Raises:
        ConfigurationError: ``obstore`` is not installed; it is in the extra ``objectstore``.

    """

    def __init__(
        self,
        store: ObjectStore,
        path: str,
        *,
        name: str | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.name = path if name is None else name
        self._library = library()
        self._store = store
        self._path = path
        self._beside = f"{path}.harvest"
        self._sleep = sleep
        self._columns: dict[str, RowColumns] = {}
        self._read: dict[str, tuple[str | None, list[str]]] = {}

    @classmethod
    def of_url(
        cls, url: str, storage_options: Mapping[str, str] | None = None
    ) -> ObjectParquetTarget:
        """Make one of an address, such as ``s3://bucket/folder/x.parquet``."""
        above, _, last = url.rpartition("/")
        return cls(store_of(above, storage_options or {}), last, name=url)

    def prepare(self, identity: Mapping[str, str], tables: Sequence[LakeTable]) -> None:
        """Write a manifest, or check that it is of this harvest; finish what was interrupted."""
        self._columns = {table.name: RowColumns(table, nested=True) for table in tables}
        facts = [(table.name, table.source, table.item.__name__) for table in tables]

        def attempt() -> None:
            found = self._load()
            if found is None:
                self._save(Manifest.new(identity, facts, self._columns_told()), None)
                return
            refuse_others(self.name, found[0].state(), identity, facts)
            if found[0].columns != self._columns_told():
                raise TargetError(
                    f"{self.name} has other columns, of another version of the package; "
                    "begin a new target"
                )
            self._show(found[0])

        self._repeatedly(attempt)
        with explained(self.name, "written"):
            self._sweep()

    def state(self) -> LakeState | None:
        """Read what the manifest tells."""
        with explained(self.name, "read"):
            found = self._load()
        return None if found is None else found[0].state()

    def committed(self, table: str) -> Mapping[str, int]:
        """Read the lists that the manifest names."""
        with explained(self.name, "read"):
            return self._existing()[0].lists_of(table)

    def commit(self, table: str, lists: Sequence[ListRows]) -> int:
        """Upload a part of the lists that the manifest does not name yet, and name it there."""
        columns = self._columns[table]

        def attempt() -> int:
            manifest, tag = self._existing()
            known = manifest.lists_of(table)
            wanted = {one.key: one for one in lists if one.key not in known}
            if not wanted:
                return 0
            rows = (row for one in wanted.values() for row in one.rows)
            parts = self._stage(columns, rows)
            counts = {key: len(one.rows) for key, one in wanted.items()}
            shown = self._show(manifest)
            self._name(manifest.shown(shown).with_lists(table, parts, counts), tag, parts)
            return sum(counts.values())

        return self._repeatedly(attempt)

    def finish(self, failures: Sequence[Failure], revision: Revision | None = None) -> None:
        """Note the end of the generation; a table without rows gets a part with its columns."""

        def attempt() -> None:
            manifest, tag = self._existing()
            empty = {
                name: self._stage(columns, (), empty=True)
                for name, columns in self._columns.items()
                if not manifest.parts_of(name)
            }
            shown = self._show(manifest)
            manifest = manifest.shown(shown).finished(failures, revision)
            for name, parts in empty.items():
                manifest = manifest.with_lists(name, parts, {})
            self._name(manifest, tag, [part for parts in empty.values() for part in parts])

        self._repeatedly(attempt)
        with explained(self.name, "written"):
            self._sweep()

    def rows(self, table: str) -> Iterator[Row]:
        """Read the rows that one manifest names."""
        with explained(self.name, "read"):
            manifest, _ = self._existing()
            self._read[table] = manifest.version_of(table)
            for part in manifest.parts_of(table):
                with self._opened(manifest, table, part) as batches:
                    yield from rows_of(batches)

    def replace(
        self, table: str, rows: Iterator[Row], revision: Revision, lists: Mapping[str, int]
    ) -> None:
        """Upload parts of the next generation, and let the manifest name these instead."""
        with explained(self.name, "written"):
            manifest, _ = self._existing()
            if manifest.revisions.get(table) == revision.id:
                return
            before = self._read.get(table, manifest.version_of(table))
            parts = self._stage(self._columns[table], rows, empty=True)

            def attempt() -> None:
                manifest, tag = self._existing()
                if manifest.revisions.get(table) == revision.id:
                    return
                if manifest.version_of(table) != before:
                    raise changed_meanwhile(self.name)
                self._save(manifest.replaced(table, parts, lists, revision), tag, staged=parts)

            self._repeatedly(attempt)
            self._sweep()
            self._show(self._existing()[0])

    def compact(self) -> None:
        """Make one part of many small ones."""
        with explained(self.name, "written"):
            for table in self._existing()[0].tables:
                self._repeatedly(lambda table=table[0]: self._compact(table))  # type: ignore[misc]
            self._sweep()
            self._show(self._existing()[0])

    def _compact(self, table: str) -> None:
        manifest, tag = self._existing()
        small = [part for part in manifest.parts_of(table) if part.bytes < _SMALL]
        if len(small) < 2 or table not in self._columns:  # noqa: PLR2004 - nothing to make one of
            return

        def rows() -> Iterator[Row]:
            for part in small:
                with self._opened(manifest, table, part) as batches:
                    yield from rows_of(batches)

        parts = self._stage(self._columns[table], rows(), empty=True)
        new = manifest.with_parts(table, removed=small, added=parts)
        self._save(new, tag, staged=parts)

    def _stage(
        self, columns: RowColumns, rows: Iterable[Row], *, empty: bool = False
    ) -> list[Part]:
        """Upload rows where readers do not look; parts of the same content have the same name."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        parts: list[Part] = []
        left = iter(rows)
        while True:
            with TemporaryFile() as file:
                count = 0
                with pq.ParquetWriter(file, columns.schema, compression="zstd") as writer:
                    for batch in columns.batches(islice(left, _ROWS_OF_PART)):
                        writer.write_batch(batch)
                        count += batch.num_rows
                if not count and (parts or not empty):
                    return parts
                part = Part.of(file, count)
                self._library.put(self._store, self._staged(part), file)
                parts.append(part)
                if count < _ROWS_OF_PART:
                    return parts

    def _name(self, manifest: Manifest, tag: str, parts: Sequence[Part]) -> None:
        """Let parts count, and let readers see them."""
        self._save(manifest, tag, staged=parts)
        self._show(manifest)

    def _show(self, manifest: Manifest) -> list[str]:
        """Copy parts that count to where readers look, and name those that are there."""
        shown = []
        for table, part in manifest.hidden():
            final = self._final(manifest, table, part)
            try:
                self._library.copy(self._store, self._staged(part), final)
                self._library.delete(self._store, self._staged(part))
            except FileNotFoundError:  # another machine has done it
                self._library.head(self._store, final)
            shown.append(part.name)
        return shown

    def _sweep(self) -> None:
        """Remove what no manifest names."""
        found = [
            (one["path"], one["last_modified"])
            for chunk in self._library.list(self._store, self._path)
            for one in chunk
        ]
        beside = [
            (one["path"], one["last_modified"])
            for chunk in self._library.list(self._store, self._beside)
            for one in chunk
        ]
        # Read after they were listed: a part is named before it is copied there.
        manifest, _ = self._existing()
        final = {self._final(manifest, table, part) for table, part in manifest.all()}
        staged = {self._staged(part) for _, part in manifest.all()}
        now = max((when for _, when in beside), default=None)
        for path, _ in found:
            if path not in final and path.endswith(".parquet"):
                self._remove(path)
        for path, when in beside:
            is_old = now is not None and now - when > _ABANDONED
            if is_old and path.endswith(".part") and path not in staged:
                self._remove(path)

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._library.delete(self._store, path)

    @contextmanager
    def _opened(
        self, manifest: Manifest, table: str, part: Part
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        paths = [self._final(manifest, table, part)]
        if part.hidden:
            paths.append(self._staged(part))
        with TemporaryFile() as file:
            for path in paths:
                try:
                    for chunk in self._library.get(self._store, path):
                        file.write(chunk)
                    break
                except FileNotFoundError:
                    if path == paths[-1]:
                        raise
            yield pq.ParquetFile(file).iter_batches(2000, columns=READ)

    def _load(self) -> tuple[Manifest, str] | None:
        try:
            found = self._library.get(self._store, f"{self._beside}/manifest.json")
        except FileNotFoundError:
            return None
        return Manifest.parse(bytes(found.bytes()), self.name), found.meta["e_tag"] or ""

    def _existing(self) -> tuple[Manifest, str]:
        found = self._load()
        if found is None:
            raise TargetError(f"{self.name} does not exist")
        return found

    def _save(self, manifest: Manifest, tag: str | None, staged: Sequence[Part] = ()) -> None:
        mode = "create" if tag is None else {"e_tag": tag}
        try:
            self._library.put(
                self._store, f"{self._beside}/manifest.json", manifest.to_json(), mode=mode
            )
        except (
            self._library.exceptions.PreconditionError,
            self._library.exceptions.AlreadyExistsError,
        ):
            named = {part.name for _, part in self._existing()[0].all()}
            for part in staged:
                if part.name not in named:
                    self._remove(self._staged(part))
            raise _Refused("another machine writes the manifest") from None

    def _repeatedly(self, attempt: Callable[[], T]) -> T:
        return repeatedly(self.name, attempt, _Refused, self._sleep)

    def _columns_told(self) -> dict[str, list[str]]:
        return {
            name: [f"{field.name} {field.type}" for field in columns.schema]
            for name, columns in self._columns.items()
        }

    def _staged(self, part: Part) -> str:
        return f"{self._beside}/{part.name}.part"

    def _final(self, manifest: Manifest, table: str, part: Part) -> str:
        folder = self._path if len(manifest.tables) == 1 else f"{self._path}/{table}"
        return f"{folder}/{part.name}.parquet"


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """Another machine has written the manifest meanwhile."""
