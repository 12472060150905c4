"""A PostgreSQL server of the tests' own, which can be stopped and started."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import attrs
import pytest

USER = "harvester"
PASSWORD = "p@ss/w:rd %s3cr3t"
_PATIENCE = 60


@attrs.define
class PostgresServer:
    """
    A server that was started.

    Attributes:
        port: its port at 127.0.0.1.
        folder: where its socket and data are.

    """

    port: int
    folder: Path
    _programs: Path
    _owner: dict[str, object]
    _process: subprocess.Popen[bytes] | None = None
    _made: int = 0

    def url(
        self,
        schema: str | None = None,
        *,
        user: str = USER,
        password: str | None = PASSWORD,
        database: str = "harvests",
    ) -> str:
        """Make the URL of a target, of which each call without a schema gives another."""
        self._made += 1
        schema = schema or f"harvest_{self._made}"
        secret = "" if password is None else f":{quote(password, safe='')}"
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}?schema={schema}"

    def role(self, name: str) -> None:
        """Make a user, with the same password."""
        literal = PASSWORD.replace("'", "''")
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{literal}'", database="postgres")

    def sql(self, statement: str, *values: object, database: str = "harvests") -> list[tuple]:  # type: ignore[type-arg]
        """Run a statement as the superuser."""
        import psycopg

        where = {"host": str(self.folder), "port": self.port, "user": "postgres"}
        with psycopg.connect(**where, dbname=database, autocommit=True) as connection:  # type: ignore[arg-type]
            found = connection.execute(statement, values or None)  # type: ignore[call-overload]
            return found.fetchall() if found.description else []

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = [f"-p{self.port}", f"-k{self.folder}", "-clisten_addresses=127.0.0.1"]
        # What a process wrote is kept by the system, and no machine loses its power here.
        quick = ["-cfsync=off", "-cmax_connections=60", "-cshared_buffers=32MB"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *options, *quick],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                **self._owner,  # type: ignore[call-overload]
            )
        ask = [self._programs / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]
        deadline = time.monotonic() + _PATIENCE
        while subprocess.run(ask, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.02)  # another process is starting

    def stop(self) -> None:
        """Stop it at once, as a crash would: it recovers at its next start."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(_PATIENCE)

    def restart(self) -> None:
        """Stop it at once, and start it again."""
        self.stop()
        self.start()

    def kill_backends(self, of: str = USER) -> int:
        """End the connections of a user, and count them."""
        rows = self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", of
        )
        return len(rows)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server with a database ``harvests``; the test is skipped where there is none."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server here: its programs initdb and postgres are not found")
    pytest.importorskip("psycopg")
    owner = _owner()
    # Its user must get in, and the name of a socket is short: so it is no folder of the test.
    folder = Path(tempfile.mkdtemp(prefix="itwin-async-pg-", dir="/tmp"))
    try:
        if owner:
            shutil.chown(folder, str(owner["user"]), int(str(owner["group"])))
        init = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-E", "UTF8"]
        rules = ["--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"]
        subprocess.run(
            [*init, *rules],
            check=True,
            capture_output=True,
            cwd=folder,
            timeout=_PATIENCE,
            **owner,  # type: ignore[call-overload]
        )
        server = PostgresServer(_free_port(), folder, programs, owner)
        server.start()
        try:
            server.role(USER)
            server.sql(f"CREATE DATABASE harvests OWNER {USER}", database="postgres")
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql")
    versions = [each for each in debian.glob("*/bin") if (each / "initdb").exists()]
    return max(versions, key=lambda each: int(each.parent.name), default=None)


def _owner() -> dict[str, object]:
    """Name the user that the server runs as; ``initdb`` refuses the superuser."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": name, "group": found.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
