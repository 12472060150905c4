"""The merge of a refresh for targets that many machines may write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from tempfile import TemporaryFile
from typing import BinaryIO

import msgspec

from itwin_async.harvest.columns import moment_of
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.lake import LakeTarget, open_lake
from itwin_async.harvest.lake.protocol import Revision
from itwin_async.harvest.lake.spool import note_published, table_of
from itwin_async.harvest.merging import Fate
from itwin_async.harvest.plan import Node
from itwin_async.harvest.refresh import Merge, Refreshed
from itwin_async.harvest.rows import Row
from itwin_async.harvest.spool import fates

_LENGTH = 4  # bytes


class LakeMerge(Merge):
    """Replaces each table at once, and then notes in the target that all are."""

    def run(self) -> Refreshed:
        """
        Merge all tables.

        One that an earlier run has replaced already is left as it is, and its rows are counted.
        """
        lake = self._lake = _opened(open_lake(self._files))
        lake.prepare(self._target.identity, [table_of(node) for node in self._nodes.values()])
        state = lake.state()
        done = {} if state is None else state.revisions
        revision = Revision(
            self._generation, self._spool.get("spool") or "", self._since, moment_of(self._finished)
        )
        for number, node in self._nodes.items():
            table = node.source.table
            if done.get(table) == revision.id:
                for row in lake.rows(table):
                    self._count(number, row)
            else:
                self._replace(node, revision)
        connection = self._target.connection
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            self._save_generation({})
            note_published(connection)
        lake.finish(self._target.failures(), revision)
        lake.compact()
        return Refreshed(self._generation, self._items.total(), dict(self._changes))

    def _replace(self, node: Node, revision: Revision) -> None:
        table, number = node.source.table, node.number
        before = self._lake.committed(table)
        with TemporaryFile(
            dir=self._files.spool.parent
        ) as file:  # how many there are is told first
            for row in self._rows(number):
                _write(file, row)
            file.seek(0)
            fate = fates(self._spool, number, self._above)
            lists = {key: 0 for key in before if fate(key) is Fate.UNREAD}
            lists.update((key, 0) for key in self._spool.read_lists(number))
            lists = {key: self._items[number, key] for key in lists}
            self._lake.replace(table, _read(file), revision, lists)

    def _old(self, table: str) -> AbstractContextManager[Iterator[Row]]:
        return nullcontext(self._lake.rows(table))

    def _above(self, source: int, key: str) -> tuple[int, str] | None:
        found = super()._above(source, key)
        parent = self._target.parent_of(source)
        if found is not None or parent is None:
            return found
        # This machine has not read the list that led to it; any of them that failed may have.
        return self._spool.unread_list(parent)


def _opened(lake: LakeTarget | None) -> LakeTarget:
    if lake is None:
        raise TargetError("the target is on this machine only")
    return lake


def _write(file: BinaryIO, row: Row) -> None:
    data = msgspec.msgpack.encode(row)
    file.write(len(data).to_bytes(_LENGTH, "big"))
    file.write(data)


def _read(file: BinaryIO) -> Iterator[Row]:
    decoder = msgspec.msgpack.Decoder(Row)
    while length := file.read(_LENGTH):
        yield decoder.decode(file.read(int.from_bytes(length, "big")))
