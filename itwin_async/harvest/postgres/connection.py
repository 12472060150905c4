"""A connection to PostgreSQL: the lock, transactions, and what happens when it is lost."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from itwin_async.harvest.database import quoted
from itwin_async.harvest.errors import TargetError, explain
from itwin_async.harvest.postgres.address import Address, driver

if TYPE_CHECKING:
    import psycopg

Lock: TypeAlias = Literal["exclusive", "shared"]

_RECONNECT_FOR = 30.0  # seconds
_LOCK_FOR = 5.0  # seconds that the server may need to see that a client is gone
_MET: set[str] = set()  # where this process was connected; whoever was there comes back
_GONE = ("08", "57P")  # classes of SQLSTATE
_TURN = "turn"
# A host that has lost its power says nothing; without these it would be waited for two hours.
_ALIVE = {
    "connect_timeout": "20",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_OLDEST = 120000
_PARTS = re.compile(r'"(?:[^"]|"")*"|[?%]')


class PostgresDatabase:
    """
    The schema of a harvest in PostgreSQL; used by one thread.

    Every transaction of a harvest counts its turn, so that after a lost connection it is known
    whether the last one was committed, and whether another harvest has come between.

    Args:
        address: where it is.
        lock: hold the lock that allows one harvest at a time, or many writers of whole lists.

    Attributes:
        name: what it is called in messages.
        schema: the schema.
        staged: names of the temporary tables that this connection has.

    Raises:
        TargetError: there is no connection, or another harvest holds the lock.

    """

    def __init__(self, address: Address, *, lock: Lock | None = None) -> None:
        self.name = address.name
        self.schema = address.schema
        self.staged: set[str] = set()
        self._address = address
        self._locking: Lock | None = lock
        self._turn: int | None = None
        self._driver = driver()
        try:
            self.connection = self._connect()
        except self._driver.OperationalError as problem:
            if lock is None or address.conninfo not in _MET:
                raise explain(problem, self.name, "opened") from None
            self._reconnect(problem, time.monotonic() + _RECONNECT_FOR)
        except self._driver.Error as problem:
            raise explain(problem, self.name, "opened") from None
        _MET.add(address.conninfo)

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with ``?`` for values, and read all its rows."""
        found = self.connection.execute(
            _spelled(sql, has_values=bool(values)), tuple(values) or None
        )
        return found.fetchall() if found.description else []

    def change(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement for each row of values, and count the rows that it changed."""
        with self.connection.cursor() as cursor:
            cursor.executemany(_spelled(sql, has_values=True), rows)
            return max(0, cursor.rowcount)

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Read rows as they are needed; inside a transaction."""
        with self.connection.cursor(name="itwin_rows") as cursor:
            cursor.itersize = 1000
            cursor.execute(_spelled(sql, has_values=bool(values)), tuple(values) or None)
            yield from cursor

    def is_held(self) -> bool:
        """Tell whether somebody holds the lock, as one harvest or as one of many writers."""
        number = self._number("harvest") % 2**64
        return bool(
            self.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
                " AND (classid::bigint, objid::bigint) = (?::bigint, ?::bigint) AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())",
                (number >> 32, number % 2**32),
            )
        )

    @property
    def is_shared(self) -> bool:
        """Whether there may be other writers."""
        return self._locking == "shared"

    @property
    def in_transaction(self) -> bool:
        """Whether there is something to commit."""
        status = self._driver.pq.TransactionStatus
        return self.connection.info.transaction_status in {status.INTRANS, status.INERROR}

    def begin(self, *, reading: bool = False) -> None:
        """Begin a transaction; of one moment if it only reads."""
        words = " ISOLATION LEVEL REPEATABLE READ READ ONLY" if reading else ""
        self.connection.execute(f"BEGIN{words}".encode())

    def commit(self) -> None:
        """Commit."""
        if self._turn is not None:
            self._count()
        self.connection.execute("COMMIT")
        if self._turn is not None:
            self._turn += 1

    def rollback(self) -> None:
        """Take back what is not committed."""
        self.connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, or take back all of it."""
        self.begin()
        try:
            yield
            self.commit()
        except BaseException:
            with suppress(self._driver.Error):
                self.rollback()
            raise

    def has_schema(self) -> bool:
        """Tell whether there is such a schema."""
        sql = "SELECT 1 FROM pg_namespace WHERE nspname = ?"
        return bool(self.execute(sql, (self.schema,)))

    def tables(self) -> set[str]:
        """Name the tables of the schema."""
        rows = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = ?", (self.schema,))
        return {str(name) for (name,) in rows}

    def create(self, script: str) -> None:
        """Create the schema, and tables in it as written for SQLite."""
        for old, new in _TYPES:
            script = script.replace(old, new)
        with self.creating():
            if not self.has_schema():  # IF NOT EXISTS would need the right to create one
                self.execute(f"CREATE SCHEMA {quoted(self.schema)}")
            self.execute(script)

    @contextmanager
    def creating(self) -> Iterator[None]:
        """Create tables in the block, and let others that do so wait; it is one transaction."""
        with self.transaction():
            self.execute("SELECT pg_advisory_xact_lock(?)", (self._number("creation"),))
            yield

    def number_on(self, table: str) -> None:
        """Let numbers follow the highest one that was given."""
        name = f"{quoted(self.schema)}.{quoted(table)}"
        highest = f"(SELECT coalesce(max(number), 0) + 1 FROM {name})"  # noqa: S608 - quoted
        sql = f"SELECT setval(pg_get_serial_sequence(?, 'number'), {highest}, false)"
        self.execute(sql, (name,))

    def verify(self) -> None:
        """Do nothing; the server looks at what it reads."""

    def discard(self) -> None:
        """Do nothing; the schema may be somebody's."""

    def begin_turns(self) -> None:
        """Count transactions from here on; where there are many writers none is between them."""
        if self._locking != "exclusive":
            return
        sql = "INSERT INTO harvest_meta VALUES (?, '0') ON CONFLICT (name) DO NOTHING"
        self.execute(sql, (_TURN,))
        self._turn = 0
        self._turn = self._found_turn()

    def repeat(self, work: Callable[[], None], again: Callable[[], None]) -> None:
        """
        Do work that is one transaction; if the connection is lost, connect and do it again.

        Args:
            work: what is to be done, with the commit at its end.
            again: called before the work is done again.

        Raises:
            TargetError: there is no connection any more, or another harvest has come between.

        """
        deadline: float | None = None
        while True:
            turn = self._turn
            try:
                return work()
            except Exception as problem:
                if not self._is_lost(problem):
                    raise
                deadline = deadline or time.monotonic() + _RECONNECT_FOR
                found = self._reconnect(problem, deadline)
            if turn is not None and found == turn + 1:
                self._turn = found
                return None  # it was committed; only the answer was lost
            if turn is not None and found != turn:
                raise TargetError(f"{self.name} was written by another harvest meanwhile")
            again()

    def _is_lost(self, problem: BaseException | None) -> bool:
        if self.connection.closed or self.connection.broken:
            return True
        while problem is not None:
            # What the server says before it goes may be read before its end of the connection is.
            if str(getattr(problem, "sqlstate", None)).startswith(_GONE):
                return True
            problem = problem.__cause__
        # After an error of a connection that is well the server waits for a command.
        status = self._driver.pq.TransactionStatus
        return self.connection.info.transaction_status in {status.ACTIVE, status.UNKNOWN}

    def close(self) -> None:
        """Close the connection; what is not committed is dropped."""
        self.connection.close()

    def _count(self) -> None:
        turn = self._turn or 0
        sql = "UPDATE harvest_meta SET value = ? WHERE name = ? AND value = ? RETURNING 1"
        if not self.execute(sql, (str(turn + 1), _TURN, str(turn))):
            raise TargetError(f"{self.name} was written by another harvest meanwhile")

    def _found_turn(self) -> int | None:
        if self._turn is None:
            return None
        rows = self.execute("SELECT value FROM harvest_meta WHERE name = ?", (_TURN,))
        return int(rows[0][0]) if rows else None

    def _reconnect(self, problem: Exception, deadline: float) -> int | None:
        """Connect again, and read the turn that the database has."""
        pause = 0.05
        while True:
            with suppress(AttributeError):  # there was none yet
                self.connection.close()
            try:
                self.connection = self._connect()
                return self._found_turn()
            except self._driver.OperationalError:
                if time.monotonic() >= deadline:
                    raise explain(problem, self.name) from None
                time.sleep(pause)  # the server is starting, or the network is away
                pause = min(1.0, pause * 2)

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        given = self._driver.conninfo.conninfo_to_dict(self._address.conninfo)
        alive = {name: value for name, value in _ALIVE.items() if name not in given}
        if "PGCONNECT_TIMEOUT" in os.environ:
            alive.pop("connect_timeout", None)
        connection = self._driver.connect(
            self._address.conninfo,
            autocommit=True,
            client_encoding="UTF8",
            fallback_application_name="itwin-async harvest",
            **alive,
        )
        self.staged.clear()
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection  # type: ignore[no-any-return]

    def _prepare(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        info = connection.info
        if info.server_version < _OLDEST:
            raise TargetError(f"{self.name} is PostgreSQL before version 12")
        if info.parameter_status("server_encoding") != "UTF8":
            raise TargetError(f"{self.name} is a database whose encoding is not UTF8")
        settings = (
            f"SET search_path = {quoted(self.schema)}, pg_catalog;"
            "SET TimeZone = 'UTC'; SET client_min_messages = warning;"
            # That the server learns of a client whose host is gone, and releases its lock.
            "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;"
            "SET tcp_keepalives_count = 3"
        )
        connection.execute(settings.encode())
        if self._locking is not None:
            self._lock(connection, self._locking)

    def _lock(self, connection: psycopg.Connection[tuple[Any, ...]], lock: Lock) -> None:
        number = self._number("harvest")
        ending = "_shared" if lock == "shared" else ""
        deadline = time.monotonic() + _LOCK_FOR
        while True:
            (row,) = connection.execute(
                f"SELECT pg_try_advisory_lock{ending}(%s)", (number,)
            ).fetchall()
            if row[0]:
                return
            if time.monotonic() >= deadline:
                raise TargetError(
                    f"{self.name} is in use by another harvest; wait for it or stop it"
                )
            time.sleep(0.1)  # a harvest that was killed may still be connected

    def _number(self, purpose: str) -> int:
        digest = hashlib.blake2b(f"itwin-async {purpose} {self.schema}".encode(), digest_size=8)
        return int.from_bytes(digest.digest(), "big", signed=True)


_TYPES = (
    ("number INTEGER PRIMARY KEY", "number bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    (" WITHOUT ROWID", ""),
    (" INTEGER", " bigint"),
    # An index takes no long texts.
    (
        ",\n    UNIQUE (list, json)\n);",
        "\n);\nCREATE UNIQUE INDEX ON harvest_quarantine (list, hashtextextended(json, 0));",
    ),
)


@cache
def _spelled(sql: str, *, has_values: bool) -> bytes:
    """Write ``?`` as psycopg does, but not inside of quoted names."""

    def spell(match: re.Match[str]) -> str:
        return "%s" if match[0] == "?" else match[0].replace("%", "%%")

    return (_PARTS.sub(spell, sql) if has_values else sql).encode()
