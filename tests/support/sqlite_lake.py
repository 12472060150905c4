"""A target that many processes may write, in a SQLite file: the protocol, and nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from itwin_async.harvest import Failure, TargetError
from itwin_async.harvest.lake import LakeState, LakeTable, ListRows
from itwin_async.harvest.rows import Row

_SCHEMA = """
CREATE TABLE IF NOT EXISTS lake (identity TEXT, tables TEXT, failed INTEGER);
CREATE TABLE IF NOT EXISTS lists ("table" TEXT, key TEXT, rows INTEGER, PRIMARY KEY ("table", key));
CREATE TABLE IF NOT EXISTS rows ("table" TEXT, list TEXT, list_name TEXT, id TEXT, text BLOB);
"""


class SqliteLake:
    def __init__(self, path: str) -> None:
        self.name = self._path = path

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()

    def prepare(self, identity: Mapping[str, str], tables: Sequence[LakeTable]) -> None:
        facts = [[table.name, table.source, table.item.__name__] for table in tables]
        told = json.dumps(dict(identity), sort_keys=True)
        with self._opened() as db:
            there = db.execute("SELECT identity, tables FROM lake").fetchone()
            if there is None:
                db.execute("INSERT INTO lake VALUES (?, ?, NULL)", (told, json.dumps(facts)))
            elif there != (told, json.dumps(facts)):
                raise TargetError(f"{self.name} belongs to another harvest")

    def state(self) -> LakeState | None:
        with self._opened() as db:
            there = db.execute("SELECT identity, tables, failed FROM lake").fetchone()
        if there is None:
            return None
        now = datetime.now(UTC)
        identity, tables = json.loads(there[0]), [tuple(table) for table in json.loads(there[1])]
        finished = None if there[2] is None else now
        return LakeState(identity, tables, 1, now, finished, (), there[2] or 0)

    def committed(self, table: str) -> Mapping[str, int]:
        with self._opened() as db:
            return dict(db.execute('SELECT key, rows FROM lists WHERE "table" = ?', (table,)))

    def commit(self, table: str, lists: Sequence[ListRows]) -> int:
        new = 0
        with self._opened() as db:
            for each in lists:
                there = db.execute(
                    'SELECT 1 FROM lists WHERE "table" = ? AND key = ?', (table, each.key)
                ).fetchone()
                if there:
                    continue
                rows = list(each.rows)
                db.execute("INSERT INTO lists VALUES (?, ?, ?)", (table, each.key, len(rows)))
                db.executemany(
                    "INSERT INTO rows VALUES (?, ?, ?, ?, ?)",
                    [(table, row.list, row.list_name, row.id, row.text) for row in rows],
                )
                new += len(rows)
        return new

    def finish(self, failures: Sequence[Failure], revision: object = None) -> None:
        with self._opened() as db:
            db.execute("UPDATE lake SET failed = ?", (len(failures),))

    def rows(self, table: str) -> Iterator[Row]:
        now = datetime.now(UTC)
        with self._opened() as db:
            found = db.execute(
                'SELECT list, list_name, id, text FROM rows WHERE "table" = ?', (table,)
            ).fetchall()
        for key, name, id_, text in found:
            yield Row(key, name, id_, text, now, now, now)

    def replace(self, *_: object) -> None:
        raise NotImplementedError

    def compact(self) -> None:
        return
