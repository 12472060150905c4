"""One Delta table: what its description says, and the identifiers in its log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.lake.delta_log import DeltaLog
from itwin_async.harvest.lake.protocol import Revision
from itwin_async.harvest.migration import FORMAT
from itwin_async.harvest.progress import Failure

if TYPE_CHECKING:
    from deltalake import DeltaTable, Transaction

_ROWS = 2**40  # an identifier's version is the generation times this, and the rows of the list


class Outcome(msgspec.Struct):
    """How a generation ended; without a moment it has not."""

    generation: int
    finished: str | None = None
    failed: int = 0
    failures: list[Failure] = []
    started: str | None = None


class Told(msgspec.Struct):
    """What a table's description says."""

    format: str
    identity: dict[str, str]
    tables: list[tuple[str, str, str]]
    started: str
    table: str = ""
    outcome: Outcome | None = None

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(self.format)


class _Description(msgspec.Struct):
    itwin_async: Told


class _Format(msgspec.Struct):
    format: str


class _AnyDescription(msgspec.Struct):
    itwin_async: _Format


class Table:
    """A snapshot of a table, with the identifiers in it."""

    def __init__(self, delta: DeltaTable, log: DeltaLog, target: str, library: ModuleType) -> None:
        self.delta = delta
        self._log = log
        self._library = library
        self._target = target
        self.name = self.told.table
        facts = json.dumps(self.told.identity, sort_keys=True)
        harvest = hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()
        self._prefix = f"itwin-async:{harvest}:{self.name}"

    def refresh(self) -> None:
        """Take the newest version."""
        self.delta.update_incremental()

    @property
    def told(self) -> Told:
        """What the description says."""
        text = self.delta.metadata().description or ""
        try:
            return msgspec.json.decode(text, type=_Description).itwin_async
        except msgspec.ValidationError:  # perhaps of another format
            with suppress(msgspec.DecodeError):
                form = msgspec.json.decode(text, type=_AnyDescription).itwin_async.format
                if form != FORMAT:
                    raise TargetError(
                        f"{self._target} has format {form}; this version reads format {FORMAT}: "
                        "harvest into a new target"
                    ) from None
        except msgspec.DecodeError:
            pass
        raise TargetError(f"{self._target} is a Delta table of something else, not a harvest")

    @property
    def generation(self) -> int:
        """The generation of the rows."""
        return self._identifiers().get(self._prefix, 1)

    def has(self, key: str) -> bool:
        """Tell whether a list is there, of any generation."""
        return f"{self._prefix}:{key}" in self._identifiers()

    def lists(self) -> dict[str, int]:
        """Name the lists of the generation, and how many rows each has."""
        start, generation = f"{self._prefix}:", self.generation
        return {
            name.removeprefix(start): version % _ROWS
            for name, version in self._identifiers().items()
            if name.startswith(start) and version // _ROWS == generation
        }

    def marks(
        self, lists: Mapping[str, int], revision: Revision | None = None
    ) -> list[Transaction]:
        """Make the identifiers of lists, and that of a revision."""
        of = self.generation if revision is None else revision.generation
        make = self._library.Transaction
        made = [make(f"{self._prefix}:{key}", of * _ROWS + rows) for key, rows in lists.items()]
        if revision is None:
            return made
        number = len(self._revisions()) + 1
        return [
            make(self._prefix, revision.generation),
            make(f"{self._prefix}#{revision.id}", number),
            *made,
        ]

    @property
    def revision(self) -> str | None:
        """The last revision."""
        found = self._revisions()
        return max(found, key=found.__getitem__) if found else None

    def _revisions(self) -> dict[str, int]:
        start = f"{self._prefix}#"
        return {
            name.removeprefix(start): version
            for name, version in self._identifiers().items()
            if name.startswith(start)
        }

    def _identifiers(self) -> Mapping[str, int]:
        return self._log.identifiers(self.delta.version())


def described(told: Told) -> str:
    """Write the description of a table."""
    return msgspec.json.encode(_Description(told)).decode()
