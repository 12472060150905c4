"""What can be wrong with a target in PostgreSQL, and that no password shows in what says so."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from harvest_truth import expected
from leaks import spellings
from postgres_server import PASSWORD, PostgresServer

from itwin_async import ArgumentError, Session, harvest
from itwin_async.emulator import Emulator
from itwin_async.harvest.postgres.address import address_of

FULL = harvest.favorite_imodels().full()


@pytest.fixture
def target(server: PostgresServer) -> str:
    return server.url()


def schema_of(target: str) -> str:
    return target.rpartition("schema=")[2]


async def refused(session: Session, target: str) -> harvest.TargetError:
    """Harvest into a target that cannot be used, and give the error that says so."""
    with pytest.raises(harvest.TargetError) as caught:
        await harvest.run(session, FULL, target, page_size=5)
    check_secrets(caught.value)
    return caught.value


def check_secrets(error: BaseException) -> None:
    shown = "".join(traceback.format_exception(error)) + repr(error)
    for form in [*spellings(PASSWORD), "s3cr3t"]:
        assert form not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "s3cr3t-but-wrong"},
        {"database": "no_such_database"},
        {"user": "no_such_user"},
        {"password": None},
    ],
)
async def test_no_connection(
    session: Session, server: PostgresServer, wrong: dict[str, str | None]
) -> None:
    target = server.url(**wrong)  # type: ignore[arg-type]
    error = await refused(session, target)
    assert f"127.0.0.1:{server.port}/{wrong.get('database', 'harvests')}" in str(error)
    for look in (harvest.status, harvest.check, lambda target: list(harvest.read(target))):
        with pytest.raises(harvest.TargetError) as caught:
            look(target)
        check_secrets(caught.value)


async def test_nobody_listens(session: Session) -> None:
    error = await refused(session, "postgresql://harvester:s3cr3t@127.0.0.1:1/harvests")
    assert "127.0.0.1:1/harvests" in str(error)


async def test_no_rights(session: Session, server: PostgresServer, target: str) -> None:
    server.role("stranger")
    nothing = server.url(user="stranger")
    await refused(session, nothing)
    await harvest.run(session, FULL, target)
    others = target.replace("harvester:", "stranger:")
    await refused(session, others)
    with pytest.raises(harvest.TargetError):
        harvest.status(others)
    schema = schema_of(target)
    server.sql(f"GRANT USAGE ON SCHEMA {schema} TO stranger")
    server.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO stranger")
    assert harvest.check(others).finished  # who reads needs no more


@pytest.mark.parametrize("look", [harvest.status, harvest.check, lambda t: list(harvest.read(t))])
async def test_there_is_no_harvest(server: PostgresServer, look: object) -> None:
    with pytest.raises(harvest.TargetError):
        look(server.url())  # type: ignore[operator]
    assert server.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'harvest_none'") == []


async def test_tables_of_something_else(
    session: Session, server: PostgresServer, target: str
) -> None:
    server.sql(f"CREATE SCHEMA {schema_of(target)} AUTHORIZATION harvester")
    server.sql(f"CREATE TABLE {schema_of(target)}.mine (id int)")
    await refused(session, target)
    assert len(server.sql(f"SELECT * FROM pg_tables WHERE schemaname = '{schema_of(target)}'")) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {}.harvest_meta SET value = '99' WHERE name = 'format'",
        "ALTER TABLE {}.favorite_imodels DROP COLUMN description",
        "ALTER TABLE {}.favorite_imodels ALTER COLUMN display_name TYPE varchar(9000)",
        "UPDATE {}.harvest_meta SET value = '{{\"source\":\"another\"}}' WHERE name = 'identity'",
    ],
)
async def test_another_version_or_harvest(
    session: Session, server: PostgresServer, target: str, change: str
) -> None:
    await harvest.run(session, FULL, target)
    server.sql(change.format(schema_of(target)))
    await refused(session, target)


@pytest.mark.parametrize("table", ["favorite_imodels", "harvest_lists", "harvest_meta"])
async def test_a_table_is_dropped_meanwhile(
    emulator: Emulator, session: Session, server: PostgresServer, target: str, table: str
) -> None:
    dropped = []

    def drop(progress: harvest.Progress) -> None:
        if progress.items > 20 and not dropped:
            dropped.append(server.sql(f"DROP TABLE {schema_of(target)}.{table}"))

    emulator.latency = 0.01
    with pytest.raises(harvest.TargetError) as caught:
        await harvest.run(session, FULL, target, page_size=2, concurrency=2, on_progress=drop)
    check_secrets(caught.value)
    if table == "favorite_imodels":
        with pytest.raises(harvest.TargetError):
            harvest.check(target)


async def test_a_full_disk_keeps_what_is_there(
    session: Session, server: PostgresServer, target: str, emulator: Emulator
) -> None:
    schema, once = schema_of(target), []

    def fill(progress: harvest.Progress) -> None:
        if progress.items > 20 and not once:
            # The server's own error, where it is raised by a statement that stands for its disk.
            once.append(
                server.sql(
                    f"CREATE FUNCTION {schema}.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                    " RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full';"
                    " END $$"
                )
            )
            server.sql(
                f"CREATE TRIGGER full_disk BEFORE INSERT ON {schema}.favorite_imodels"
                f" EXECUTE FUNCTION {schema}.full()"
            )

    emulator.latency = 0.02
    with pytest.raises(harvest.TargetError, match="disk is full") as caught:
        await harvest.run(session, FULL, target, page_size=2, concurrency=2, on_progress=fill)
    check_secrets(caught.value)
    kept = harvest.check(target).items
    assert 0 < kept < len(expected(emulator))
    server.sql(f"DROP TRIGGER full_disk ON {schema}.favorite_imodels")
    report = await harvest.run(session, FULL, target)
    assert report.complete
    assert report.progress.items == len(expected(emulator))


async def test_one_harvest_at_a_time(
    emulator: Emulator,
    session: Session,
    server: PostgresServer,
    target: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("itwin_async.harvest.postgres.connection._LOCK_FOR", 0.3)
    emulator.latency = 0.2
    begun = asyncio.Event()
    first = asyncio.create_task(
        harvest.run(session, FULL, target, page_size=2, on_progress=lambda _: begun.set())
    )
    await begun.wait()
    await refused(session, target)
    assert not harvest.status(target).finished  # whoever looks is not in the way
    other = await harvest.run(session, FULL, server.url())
    assert (await first).complete
    assert other.complete


async def test_a_database_of_another_encoding(session: Session, server: PostgresServer) -> None:
    server.sql(
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0 OWNER harvester",
        database="postgres",
    )
    await refused(session, server.url(database="latin"))


async def test_no_password_is_kept_or_shown(
    session: Session, server: PostgresServer, target: str
) -> None:
    report = await harvest.run(session, FULL, target)
    status = harvest.status(target)
    texts = [report.to_json(), repr(report), status.to_json(), repr(status), status._repr_html_()]
    texts += [repr(address_of(target)), str(address_of(target))]
    for table in ("harvest_meta", "harvest_sources", "harvest_lists"):
        texts += map(str, server.sql(f"SELECT * FROM {schema_of(target)}.{table}"))
    for text in texts:
        assert "s3cr3t" not in text
    assert f"127.0.0.1:{server.port}/harvests" in report.target


async def test_the_password_may_come_from_the_environment(
    session: Session, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    target = server.url(password=None)
    assert (await harvest.run(session, FULL, target)).complete
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", "harvester")
    monkeypatch.setenv("PGDATABASE", "harvests")
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    assert harvest.status(f"postgresql://?schema={schema_of(target)}").finished


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cr3t/word@host/db",
        "postgresql://user:s3cr3t@word@host/db",
        "postgresql://user:s3cr3t@host:port/db",
        "postgresql://user:s3cr3t@host/db?no_such_option=1",
        "postgresql://user:s3cr3t@host/d\0b",
        "postgresql://user:s3cr3t@host/db?schema=",
        "postgresql://user:s3cr3t@host/db?schema=pg_mine",
        "postgresql://user:s3cr3t@host/db?schema=a&schema=b",
        f"postgresql://user:s3cr3t@host/db?schema={'é' * 32}",
    ],
)
async def test_urls_that_are_none(session: Session, url: str) -> None:
    for look in (harvest.status, harvest.check, harvest.read):
        with pytest.raises(ArgumentError) as caught:
            next(iter(look(url)))  # type: ignore[call-overload]
        check_secrets(caught.value)
    with pytest.raises(ArgumentError) as caught:
        await harvest.run(session, FULL, url)
    check_secrets(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://h/db", "postgresql://h/db"),
        ("postgres://u:s3cr3t@h:1/db?schema=itwin", "postgresql://u@h:1/db"),
        ("postgresql://u@h/db?schema=mine&sslmode=require", "postgresql://u@h/db?schema=mine"),
        ("postgresql:///db?host=/run/pg&password=s3cr3t", "postgresql:///db?host=/run/pg"),
        ("postgresql://?service=lake", "postgresql:///?service=lake"),
    ],
)
def test_what_a_target_is_called(url: str, shown: str) -> None:
    pytest.importorskip("psycopg")
    assert address_of(url).name == shown


async def test_shares_are_files(session: Session, target: str) -> None:
    await harvest.run(session, FULL, target)
    for arguments in ((target, ["one.db"]), ("whole.db", [target])):
        with pytest.raises(ArgumentError) as caught:
            harvest.merge(*arguments)
        check_secrets(caught.value)
