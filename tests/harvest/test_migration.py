"""Targets of the format before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from churn import held

from itwin_async import Session, harvest, itwins
from itwin_async.emulator import Emulator
from itwin_async.harvest.target import target_files

SOURCE = harvest.favorite_itwins().full()


def downgrade(target: Path, *, rows: bool) -> None:
    """Make of a target one as the format before had it."""
    with closing(sqlite3.connect(target_files(target).state)) as database, database:
        database.executescript(
            """
            UPDATE harvest_meta SET value = '2' WHERE name = 'format';
            DELETE FROM harvest_meta WHERE name = 'latest';
            DROP TABLE harvest_generations;
            ALTER TABLE harvest_sources DROP COLUMN removed;
            ALTER TABLE harvest_lists DROP COLUMN started;
            ALTER TABLE harvest_lists DROP COLUMN unread;
            ALTER TABLE harvest_lists RENAME COLUMN list_name TO title;
            """
        )
        if rows:
            database.execute("DROP INDEX favorite_itwins_id")
            for name in ("list_name", "harvested_at", "first_seen", "last_seen", "removed_at"):
                database.execute(f"ALTER TABLE favorite_itwins DROP COLUMN {name}")
            database.execute("ALTER TABLE favorite_itwins RENAME COLUMN class TO class_")


def schema(target: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(target)) as database:
        return [row[1:3] for row in database.execute("PRAGMA table_info(favorite_itwins)")]


async def test_a_database_is_brought_to_this_format(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    target, untouched = tmp_path / "out.db", tmp_path / "untouched.db"
    for each in (target, untouched):
        await harvest.run(session, SOURCE, each)
    before = held(target)
    downgrade(target, rows=True)
    with pytest.raises(harvest.TargetError, match="format 2"):
        harvest.status(target)
    emulator.clear_requests()
    report = await harvest.run(session, SOURCE, target)
    assert report.complete
    assert emulator.request_count == 0
    assert held(target) == before
    assert schema(target) == schema(untouched)
    assert harvest.check(target).items == report.progress.items
    report = await harvest.run(session, SOURCE, target, refresh=True)
    assert report.changes == {"added": 0, "changed": 0, "removed": 0}
    assert [item.class_ for _, item in harvest.read(target, itwins.ITwin)]


async def test_files_of_another_format_are_refused_and_left(
    session: Session, tmp_path: Path
) -> None:
    target = tmp_path / "out.ndjson"
    await harvest.run(session, SOURCE, target)
    text = target.read_bytes()
    downgrade(target, rows=False)
    with pytest.raises(harvest.TargetError, match="new target"):
        await harvest.run(session, SOURCE, target)
    assert target.read_bytes() == text


async def test_indexes_and_names(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "out.db"
    await harvest.run(session, SOURCE, target)
    names = [name for name, _ in schema(target)]
    assert names[:2] == ["list", "list_name"]
    assert names[-5:] == ["json", "harvested_at", "first_seen", "last_seen", "removed_at"]
    assert "class" in names
    with closing(sqlite3.connect(target)) as database:
        plan = database.execute(
            "EXPLAIN QUERY PLAN SELECT 1 FROM favorite_itwins WHERE id = 'x'"
        ).fetchone()
    assert "favorite_itwins_id" in plan[-1]
