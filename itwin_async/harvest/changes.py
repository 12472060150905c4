"""What came, changed and went, told from the moments of the rows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import attrs
import msgspec

from itwin_async._arguments import invalid
from itwin_async._json.converter import from_dict
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.columns import moment, moment_of
from itwin_async.harvest.errors import reading
from itwin_async.harvest.output import refuse_overlap, replacing
from itwin_async.harvest.reading import CLASSES, table_rows, tables_in
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.state import Generation
from itwin_async.harvest.target import TargetFiles, target_files

ChangeKind: TypeAlias = Literal["added", "changed", "removed"]

_EVER = datetime.min.replace(tzinfo=UTC)


@attrs.frozen
class Change:
    """
    A row that came, changed or went.

    Attributes:
        change: ``"added"``, ``"changed"`` or ``"removed"``.
        table: its table.
        list: key of its list.
        list_name: display name of what the list belongs to, if it is known.
        id: what tells the item from the others of its list.
        at: when this was found.
        item: the item, as it was last if it was removed; plain JSON where its class is your own.

    """

    change: ChangeKind
    table: str
    list: str
    list_name: str | None
    id: str
    at: datetime
    item: object


def changes(
    target: str | os.PathLike[str],
    since: int | datetime | None = None,
    *,
    storage_options: Mapping[str, str] | None = None,
) -> Iterator[Change]:
    """
    Read what a refresh has changed, one row after another.

    It is told from the rows themselves, so that it can be asked again at any time. A row that
    changed several times is there once; what came and went since is there as removed.

    Args:
        target: the target.
        since: the generation that made the first of the changes, or a moment; by default the
            present generation.
        storage_options: how an object store is reached, as ``run`` takes them.

    Raises:
        ArgumentError: there is no such generation, or the moment has no time zone.
        TargetError: there is no such harvest, or it is damaged.

    """
    files = target_files(target, storage_options)
    start = _start(files, since)
    for table in tables_in(files):
        cls = CLASSES.get(table.item)
        for kind, row in _changed(files, table.name, start):
            plain = parse(row.text)
            item = plain if cls is None else from_dict(cls, plain)
            yield Change(kind, table.name, row.list, row.list_name, row.id, _at(kind, row), item)


def change_of(row: Row, since: datetime) -> ChangeKind | None:
    """Tell what has happened to a row since a moment."""
    if row.removed_at is not None:
        return "removed" if row.removed_at >= since else None
    if row.first_seen >= since:
        return "added"
    return "changed" if row.harvested_at >= since else None


def write_changes(
    target: str | os.PathLike[str],
    path: str | os.PathLike[str],
    since: int | datetime | None = None,
    *,
    storage_options: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """
    Write changes as NDJSON, an object with the members of ``Change`` a line, and count each kind.

    Args:
        target: the target.
        path: the file; replaced when everything is written.
        since: as for ``changes``.
        storage_options: how an object store is reached, as ``run`` takes them.

    Raises:
        ArgumentError: there is no such generation, or the moment has no time zone.
        TargetError: there is no such harvest, or the file cannot be written or belongs to it.

    """
    files, output = target_files(target, storage_options), Path(path)
    refuse_overlap(output, files)
    return _write(files, output, _start(files, since))


def _write(files: TargetFiles, output: Path, start: datetime) -> dict[str, int]:
    counts: Counter[str] = Counter(added=0, changed=0, removed=0)
    with replacing(output) as file:
        for table in tables_in(files):
            for kind, row in _changed(files, table.name, start):
                counts[kind] += 1
                file.write(_line(kind, table.name, row))
    return dict(counts)


class ChangesFile:
    """
    A file of what has changed since the last one; no change is left out, whatever ends a run.

    Where the next file begins is kept in the target.

    Args:
        files: the target; its harvest has begun.
        path: the file.

    """

    def __init__(self, files: TargetFiles, path: str | os.PathLike[str]) -> None:
        self._files = files
        self._path = path
        refuse_overlap(Path(path), self._files)

    def begin(self) -> None:
        """Note where the first file begins: with what is written from now on."""
        with closing(Checkpoint(self._files.place, writable=True)) as checkpoint:
            if checkpoint.get(_FROM) is None:
                begun = checkpoint.generations()[-1]
                is_new = begun.number == 1 and begun.finished is None
                checkpoint.set(_FROM, moment(_EVER if is_new else checkpoint.now()))

    def write(self) -> dict[str, int]:
        """Write the file, and note where the next one begins."""
        with closing(Checkpoint(self._files.place, writable=True)) as checkpoint:
            start = moment_of(checkpoint.get(_FROM) or moment(_EVER))
            counts = _write(self._files, Path(self._path), start)
            checkpoint.set(_FROM, moment(checkpoint.now()))
            checkpoint.save_latest()
        return counts


_FROM = "changes_from"


def _start(files: TargetFiles, since: int | datetime | None) -> datetime:
    if isinstance(since, datetime):
        if since.tzinfo is None:
            raise invalid("since", since, "a moment with a time zone")
        return since
    with reading(files.place), closing(Checkpoint(files.place, writable=False)) as checkpoint:
        found: list[Generation] = checkpoint.generations()
    for generation in found:
        if generation.number == (found[-1].number if since is None else since):
            return generation.started if generation.number > 1 else _EVER
    raise invalid("since", since, f"a generation from {found[0].number} to {found[-1].number}")


def _changed(files: TargetFiles, table: str, since: datetime) -> Iterator[tuple[ChangeKind, Row]]:
    with table_rows(files, table) as rows:
        for row in rows:
            kind = change_of(row, since)
            if kind is not None:
                yield kind, row


def _at(kind: ChangeKind, row: Row) -> datetime:
    return row.removed_at if kind == "removed" and row.removed_at else row.harvested_at


def _line(kind: ChangeKind, table: str, row: Row) -> bytes:
    facts = {
        "change": kind,
        "table": table,
        "list": row.list,
        "list_name": row.list_name,
        "id": row.id,
        "at": moment(_at(kind, row)),
    }
    text = row.text.replace(b"\n", b" ").replace(b"\r", b" ")  # only between tokens
    return msgspec.json.encode(facts)[:-1] + b',"item":' + text + b"}\n"
