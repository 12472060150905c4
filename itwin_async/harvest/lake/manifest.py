"""The object that names the parts and lists of a target."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import BinaryIO

import attrs

from itwin_async.harvest.columns import moment, moment_of
from itwin_async.harvest.errors import TargetError, damaged
from itwin_async.harvest.lake.protocol import LakeState, Revision
from itwin_async.harvest.migration import FORMAT
from itwin_async.harvest.progress import Failure

_FAILURES = 100


@attrs.frozen
class Part:
    """
    A Parquet file.

    Attributes:
        name: its name without ending, made of its content.
        rows: its rows.
        bytes: its size.
        hidden: whether it may not be where readers look yet.

    """

    name: str
    rows: int
    bytes: int
    hidden: bool = True

    @classmethod
    def of(cls, file: BinaryIO, rows: int) -> Part:
        """Name a file that was just written, and go back to its start."""
        size = file.tell()
        file.seek(0)
        digest = hashlib.blake2b(digest_size=16)
        while chunk := file.read(2**20):
            digest.update(chunk)
        file.seek(0)
        return cls(f"part-{digest.hexdigest()}", rows, size)


@attrs.frozen
class Manifest:
    """
    What counts.

    Attributes:
        identity: what the target is a harvest of.
        tables: name, source and class of the items of each table.
        columns: names and types of the columns of each table.
        started: when the first generation was begun.
        generations: the generation of each table.
        parts: the parts of each table.
        lists: the lists of each table, and how many rows each has.
        revisions: the revision that replaced the rows of a table last.
        outcome: of the generation that was finished last.

    """

    identity: Mapping[str, str]
    tables: Sequence[tuple[str, str, str]]
    columns: Mapping[str, Sequence[str]]
    started: str
    generations: Mapping[str, int] = attrs.field(factory=dict)
    parts: Mapping[str, Sequence[Part]] = attrs.field(factory=dict)
    lists: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict)
    revisions: Mapping[str, str] = attrs.field(factory=dict)
    outcome: Mapping[str, object] | None = None

    @classmethod
    def new(
        cls,
        identity: Mapping[str, str],
        tables: Sequence[tuple[str, str, str]],
        columns: Mapping[str, Sequence[str]],
    ) -> Manifest:
        """Begin one."""
        return cls(dict(identity), tables, columns, moment(datetime.now(UTC)))

    @classmethod
    def parse(cls, data: bytes, name: str) -> Manifest:
        """
        Read one.

        Raises:
            TargetError: it is of another format, or none.

        """
        try:
            found = json.loads(data)
            form = found.pop("format")
            if form == FORMAT:
                parts = found.pop("parts")
                tables = [(table, source, item) for table, source, item in found.pop("tables")]
                named = {table: [Part(**part) for part in each] for table, each in parts.items()}
                return cls(**found, tables=tables, parts=named)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise damaged(name, "its manifest cannot be read") from None
        raise TargetError(
            f"{name} has format {form}; this version reads format {FORMAT}: "
            "harvest into a new target"
        )

    def to_json(self) -> bytes:
        """Write it."""
        return json.dumps({"format": FORMAT, **attrs.asdict(self)}).encode()

    def state(self) -> LakeState:
        """Tell what the target remembers."""
        generation = min(self.generation_of(table) for table, _, _ in self.tables)
        told: Mapping[str, object] = self.outcome or {}
        if told.get("generation") != generation:
            told = {}
        failures: Sequence[Mapping[str, str]] = told.get("failures", ())  # type: ignore[assignment]
        return LakeState(
            self.identity,
            self.tables,
            generation,
            moment_of(str(told.get("started") or self.started)),
            moment_of(str(told["finished"])) if told else None,
            [Failure(**failure) for failure in failures],
            int(str(told.get("failed", 0))),
            self.revisions,
        )

    def generation_of(self, table: str) -> int:
        """Tell the generation of a table."""
        return self.generations.get(table, 1)

    def lists_of(self, table: str) -> Mapping[str, int]:
        """
        Name the lists of a table.

        Raises:
            KeyError: there is no such table.

        """
        if all(table != name for name, _, _ in self.tables):
            raise TargetError(f"the target has no table {table}")
        return self.lists.get(table, {})

    def version_of(self, table: str) -> tuple[str | None, list[str]]:
        """Tell one content of a table from another."""
        return self.revisions.get(table), [part.name for part in self.parts_of(table)]

    def parts_of(self, table: str) -> Sequence[Part]:
        """Name the parts of a table."""
        return self.parts.get(table, ())

    def all(self) -> Iterator[tuple[str, Part]]:
        """Name all parts with their tables."""
        for table, parts in self.parts.items():
            for part in parts:
                yield table, part

    def hidden(self) -> list[tuple[str, Part]]:
        """Name parts that may not be where readers look."""
        return [(table, part) for table, part in self.all() if part.hidden]

    def shown(self, names: Collection[str]) -> Manifest:
        """Note that parts are where readers look."""
        parts = {
            table: [
                attrs.evolve(part, hidden=part.hidden and part.name not in names) for part in each
            ]
            for table, each in self.parts.items()
        }
        return attrs.evolve(self, parts=parts)

    def with_lists(self, table: str, parts: Sequence[Part], lists: Mapping[str, int]) -> Manifest:
        """Add lists and the parts that they are in."""
        known = {*self.lists.get(table, {})} & lists.keys()
        if known:
            raise ValueError(f"lists are there already: {sorted(known)}")
        return attrs.evolve(
            self.with_parts(table, removed=(), added=parts),
            lists={**self.lists, table: {**self.lists.get(table, {}), **lists}},
        )

    def with_parts(
        self, table: str, *, removed: Collection[Part], added: Sequence[Part]
    ) -> Manifest:
        """Put parts in the place of others."""
        gone = {part.name for part in removed}
        left = [part for part in self.parts_of(table) if part.name not in gone]
        names = {part.name for part in left}
        left += [part for part in added if part.name not in names]
        return attrs.evolve(self, parts={**self.parts, table: left})

    def replaced(
        self, table: str, parts: Sequence[Part], lists: Mapping[str, int], revision: Revision
    ) -> Manifest:
        """Put the next generation of a table in the place of the present one."""
        return attrs.evolve(
            self,
            parts={**self.parts, table: list(parts)},
            lists={**self.lists, table: dict(lists)},
            generations={**self.generations, table: revision.generation},
            revisions={**self.revisions, table: revision.id},
        )

    def finished(self, failures: Sequence[Failure], revision: Revision | None = None) -> Manifest:
        """Note the end of the generation."""
        outcome = {
            "generation": self.state().generation,
            "started": moment(revision.started) if revision and revision.started else None,
            "finished": moment((revision and revision.finished) or datetime.now(UTC)),
            "failed": len(failures),
            "failures": [attrs.asdict(failure) for failure in failures[:_FAILURES]],
        }
        return attrs.evolve(self, outcome=outcome)
