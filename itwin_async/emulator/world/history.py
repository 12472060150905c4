"""Histories of iModels: changesets and named versions, made when looked at or pushed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

import attrs

from itwin_async.emulator.clock import stamp
from itwin_async.emulator.world.belongings import Belongings, belonging
from itwin_async.emulator.world.generate import CHANGESET_STEP, IMODEL
from itwin_async.emulator.world.ids import GuidGenerator, guid_of
from itwin_async.emulator.world.records import IModelRecord
from itwin_async.emulator.world.tables import Rows, Table

_FACTOR = 0x9E3779B1
_BACK = pow(_FACTOR, -1, 1 << 32)
_MASK = (1 << 32) - 1
_KINDS = (0, 4, 2, 16, 1, 4, 8)
_BRIEFCASE = 2
_HIDDEN_EVERY = 5


@belonging
@attrs.frozen(kw_only=True)
class GeneratedHistoryRecord:
    """How much history each iModel has that was generated from a seed, which is the id."""

    id: str
    changesets: int
    named_versions: int


@belonging
@attrs.frozen(kw_only=True)
class ChangesetRecord:
    """
    A changeset; its parent is the iModel.

    Args:
        id: 40 hexadecimal digits.
        index: its place in the history, from 1.
        parent_id: the changeset before; empty for the first.
        creator_id: who pushed it.
        pushed: when it was pushed, or announced as long as its file is missing.
        state: waitingForFile or fileUploaded.
        synchronization_info: the run that made it, as on the wire.

    """

    id: str
    index: int
    parent_id: str
    creator_id: str
    pushed: str
    state: str = "fileUploaded"
    description: str | None = None
    containing_changes: int = 0
    file_size: int
    briefcase_id: int
    group_id: str | None = None
    synchronization_info: dict[str, Any] | None = None

    @property
    def waits(self) -> bool:
        """Whether its file is missing."""
        return self.state == "waitingForFile"


@belonging
@attrs.frozen(kw_only=True)
class NamedVersionRecord:
    """A named version; its parent is the iModel."""

    id: str
    name: str
    description: str | None = None
    state: str = "visible"
    changeset_id: str | None = None
    changeset_index: int = 0
    created: str
    creator_id: str


class History:
    """
    The changesets and named versions of an iModel.

    Args:
        belongings: where those are that were not generated, or were changed.
        imodel: the iModel.

    """

    def __init__(self, belongings: Belongings, imodel: IModelRecord) -> None:
        self._imodel = imodel
        self._added = belongings.of(ChangesetRecord, imodel.id)
        self._kept = belongings.of(NamedVersionRecord, imodel.id)
        self._changesets = self._named_versions = 0
        for seed, made in belongings.of(GeneratedHistoryRecord).items():
            found = _guids(int(seed)).find(imodel.id)
            if found is not None and found[0] == IMODEL:
                self._changesets, self._named_versions = made.changesets, made.named_versions

    def __len__(self) -> int:
        return self._changesets + len(self._added)

    @property
    def last(self) -> ChangesetRecord | None:
        """The last changeset, which may wait for its file."""
        for newest in reversed(list(self._added)):
            return self._added[newest]
        return self._made(self._changesets) if self._changesets else None

    def at(self, index: int) -> ChangesetRecord | None:
        """Return the changeset of an index."""
        if 1 <= index <= self._changesets:
            return self._made(index)
        place = index - self._changesets - 1
        return next(islice(self._added.values(), place, None), None) if place >= 0 else None

    def find(self, changeset_id: str) -> ChangesetRecord | None:
        """Return the changeset of an id in lower case."""
        added = self._added.get(changeset_id)
        if added is not None or not self._changesets:
            return added
        try:
            first = int(changeset_id[:8], 16)
        except ValueError:
            return None
        index = ((first - self._salt) * _BACK) & _MASK
        return self.at(index) if self._id_of(index) == changeset_id else None

    def rows(self, after: int = 0, last: int | None = None) -> Rows[ChangesetRecord]:
        """Return the changesets behind an index and up to another; each has position index - 1."""
        added = enumerate(self._added.values(), self._changesets)
        table = Table[ChangesetRecord](
            lambda position: self._made(position + 1), self._changesets, dict(added)
        )
        return Rows(table, range(after, len(self) if last is None else min(last, len(self))))

    def versions(self) -> Sequence[NamedVersionRecord]:
        """Return the named versions in the order in which they were made."""
        made = {version.id: version for version in self._made_versions()}
        return list({**made, **self._kept}.values())

    def version(self, version_id: str) -> NamedVersionRecord | None:
        """Return the named version of an id in lower case."""
        made = (version for version in self._made_versions() if version.id == version_id)
        return self._kept.get(version_id) or next(made, None)

    def version_on(self, index: int) -> str | None:
        """Return the id of the named version on a changeset; 0 is the baseline."""
        for version in self._kept.values():
            if version.changeset_index == index:
                return version.id
        if not self._named_versions or not 1 <= index <= self._changesets:
            return None
        number = -(-index * self._named_versions // self._changesets)
        return self._version_id(number) if self._version_index(number) == index else None

    def versions_before(self, index: int) -> Iterator[int]:
        """Yield indexes of changesets with a named version up to an index, the last among them."""
        if self._named_versions:
            number = min(
                ((index + 1) * self._named_versions - 1) // self._changesets, self._named_versions
            )
            if number:
                yield self._version_index(number)
        for version in self._kept.values():
            if version.changeset_index <= index:
                yield version.changeset_index

    @property
    def _salt(self) -> int:
        return int(self._imodel.id[:8], 16)

    def _id_of(self, index: int) -> str:
        if index == 0:
            return ""
        digest = hashlib.sha256(f"{self._imodel.id}:{index}".encode()).hexdigest()
        return f"{(index * _FACTOR + self._salt) & _MASK:08x}{digest[:32]}"

    def _made(self, index: int) -> ChangesetRecord:
        changeset_id = self._id_of(index)
        created = datetime.fromisoformat(self._imodel.created)
        return ChangesetRecord(
            id=changeset_id,
            index=index,
            parent_id=self._id_of(index - 1),
            creator_id=self._imodel.creator_id,
            pushed=stamp(created + index * CHANGESET_STEP),
            description=f"Changes {index}" if index % 3 else None,
            containing_changes=_KINDS[index % len(_KINDS)],
            file_size=500 + int(changeset_id[-3:], 16),
            briefcase_id=_BRIEFCASE,
        )

    def _version_id(self, number: int) -> str:
        return guid_of(f"{self._imodel.id}:version:{number}")

    def _version_index(self, number: int) -> int:
        return number * self._changesets // self._named_versions

    def _made_versions(self) -> Iterator[NamedVersionRecord]:
        created = datetime.fromisoformat(self._imodel.created)
        for number in range(1, self._named_versions + 1):
            index = self._version_index(number)
            yield NamedVersionRecord(
                id=self._version_id(number),
                name=f"Version {number}",
                description=f"Stage {number}" if number % 2 else None,
                state="hidden" if number % _HIDDEN_EVERY == 0 else "visible",
                changeset_id=self._id_of(index) or None,
                changeset_index=index,
                created=stamp(created + (index + 0.2) * CHANGESET_STEP),
                creator_id=self._imodel.creator_id,
            )


@cache
def _guids(seed: int) -> GuidGenerator:
    return GuidGenerator(seed)
