"""What a target must do that many machines may write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from datetime import datetime
from typing import Protocol

import attrs

from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.plan import compare_identities
from itwin_async.harvest.progress import Failure
from itwin_async.harvest.rows import Row


@attrs.frozen
class LakeTable:
    """
    A table of a target.

    Attributes:
        name: its name.
        source: name of the source that its rows are of.
        item: class of the items, which tells the columns.
        id: attribute that tells the items of a list apart; with ``None`` the rows' ids are made of
            their content, and the table has a column for them.

    """

    name: str
    source: str
    item: type[object]
    id: str | None = "id"


class Rows(Sized, Iterable[Row], Protocol):
    """Rows that can be read more than once; they need not be in memory."""


@attrs.frozen
class ListRows:
    """
    A list that was read to its end, with all of its rows; there may be none.

    Attributes:
        key: its key.
        name: the display name of what it belongs to, if that has one.
        rows: its rows.

    """

    key: str
    name: str | None
    rows: Rows


@attrs.frozen
class Revision:
    """
    What replaces the rows of a table.

    Attributes:
        generation: number of the generation that it makes, or adds to what failed.
        id: tells it from all others, so that it is made once.
        started: when its reading was begun.
        finished: when its reading was finished.

    """

    generation: int
    id: str
    started: datetime | None = None
    finished: datetime | None = None


@attrs.frozen
class LakeState:
    """
    What a target remembers of its harvest.

    Attributes:
        identity: what it is a harvest of.
        tables: name, source and class of the items of each table.
        generation: 1 for the first harvest; a refresh makes the next one.
        started: when the generation was begun.
        finished: when everything was there, except for lists that failed.
        failures: lists that failed, the first hundred.
        failed: how many failed.
        revisions: id of the revision that replaced the rows of a table last.

    """

    identity: Mapping[str, str]
    tables: Sequence[tuple[str, str, str]]
    generation: int
    started: datetime
    finished: datetime | None = None
    failures: Sequence[Failure] = ()
    failed: int = 0
    revisions: Mapping[str, str] = attrs.field(factory=dict)


class LakeTarget(Protocol):
    """
    A target that many machines may write at once: each list is committed whole, and once.

    What it says is of the target itself, and not of the machine that asks. An object is used by one
    thread at a time, and made anew in every process. All methods raise ``TargetError`` where the
    target cannot be read or written.

    Attributes:
        name: what it is called in messages, without anything secret.

    """

    name: str

    def prepare(self, identity: Mapping[str, str], tables: Sequence[LakeTable]) -> None:
        """
        Create the tables, or check that those that are there belong to the same harvest.

        It may be called by several machines at the same time.

        Raises:
            TargetError: the target is of another harvest, or of another version of the columns.

        """
        ...

    def state(self) -> LakeState | None:
        """Read what the target remembers; ``None`` if there is no such target."""
        ...

    def committed(self, table: str) -> Mapping[str, int]:
        """
        Read the keys of the lists of the current generation, and how many rows each has.

        Rows of items that were removed do not count.
        """
        ...

    def commit(self, table: str, lists: Sequence[ListRows]) -> int:
        """
        Add whole lists in one atomic commit, each with its identifier.

        Lists that are there already, also of another machine in this instant, are left out.

        Returns:
            How many rows are new.

        """
        ...

    def finish(self, failures: Sequence[Failure], revision: Revision | None = None) -> None:
        """
        Note that every list of the current generation is there, except for those that failed.

        Args:
            failures: the lists that failed.
            revision: what made the generation, if it is not the first.

        """
        ...

    def rows(self, table: str) -> Iterator[Row]:
        """Read all rows, also those of items that are no longer there."""
        ...

    def replace(
        self, table: str, rows: Iterator[Row], revision: Revision, lists: Mapping[str, int]
    ) -> None:
        """
        Put a new generation in the place of all rows, at once; again is the same as once.

        It is made of what this object read last with ``rows``.

        Args:
            table: the table.
            rows: all rows of the new generation.
            revision: what it is.
            lists: every list that is part of the generation, and how many of its rows are there,
                not counting removed ones.

        Raises:
            TargetError: another machine has changed the table since it was read.

        """
        ...

    def compact(self) -> None:
        """Make few large files of many small ones; rows stay as they are."""
        ...


def refuse_others(
    name: str,
    found: LakeState,
    identity: Mapping[str, str],
    tables: Sequence[tuple[str, str, str]],
) -> None:
    """
    Compare what a target remembers with what is harvested.

    Raises:
        TargetError: it is another harvest.

    """
    compare_identities(name, found.identity, identity)
    if sorted(found.tables) != sorted(tables):
        there = ", ".join(table for table, _, _ in found.tables)
        raise TargetError(f"{name} has the tables {there}, from other sources; use another target")


def changed_meanwhile(name: str) -> TargetError:
    """Make the error of a table that is not as it was when it was read."""
    return TargetError(
        f"{name} was changed by another machine while its refresh was made; run it again"
    )
