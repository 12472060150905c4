"""An emulated platform that lives on between two harvests, and what a target holds of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import attrs

from itwin_async import Session, harvest, imodels, itwins
from itwin_async.emulator import Emulator, EmulatorThread
from itwin_async.harvest.merging import content_of
from itwin_async.harvest.reading import table_rows, tables_of
from itwin_async.harvest.target import target_files

WHAT = ("itwins", "imodels", "changesets", "named-versions", "tags")


def sources() -> list[harvest.Source[object]]:
    return harvest.lists(*WHAT, full=True)


def populate(emulator: Emulator | EmulatorThread) -> None:
    """Give every third iModel some changesets and a named version."""
    for number, key in enumerate(sorted(emulator.state.imodels)):
        if number % 3 == 0:
            for _ in range(1 + number % 4):
                emulator.add_changeset(key)
            emulator.add_named_version(key, f"Version {number}")
    for number, key in enumerate(sorted(emulator.state.itwins)):
        if number % 2:
            emulator.add_tag(key, f"Tag {number}")


async def churn(emulator: Emulator | EmulatorThread, session: Session, round_: int = 0) -> None:
    """Add, change and remove iTwins, iModels, versions, tags, and push changesets."""
    state = emulator.state
    twins, models = sorted(state.itwins), sorted(state.imodels)
    emulator.remove_itwin(twins[round_ % len(twins)])
    kept = [key for key in models if key in emulator.state.imodels]
    for key in kept[2 + round_ : 40 : 11]:
        emulator.remove_imodel(key)
    kept = [key for key in kept if key in emulator.state.imodels]
    for number, key in enumerate(kept[:40:7]):
        await imodels.update_imodel(session, key, name=f"Renamed {round_} {number}")
    for key in kept[:40:5]:
        emulator.add_changeset(key)
    twin = emulator.add_itwin(f"New {round_}")
    model = emulator.add_imodel(twin.id, f"New model {round_}")
    emulator.add_changeset(model.id)
    emulator.add_named_version(model.id, "First")
    emulator.add_tag(twin.id, "fresh")
    other = next(key for key in twins if key in emulator.state.itwins)
    await itwins.update_itwin(session, other, display_name=f"iTwin renamed {round_}")


@attrs.frozen
class Held:
    """A row, but for its moments."""

    list: str
    list_name: str | None
    id: str
    content: str


def held(target: Path, *, current: bool = True) -> dict[str, list[Held]]:
    """Read the rows of each table as a set of facts, those that are there or those that went."""
    found: dict[str, list[Held]] = {}
    for table in tables_of(target):
        with table_rows(target_files(target), table.name) as rows:
            found[table.name] = sorted(
                (
                    Held(row.list, row.list_name, row.id, content_of(row.text))
                    for row in rows
                    if (row.removed_at is None) == current
                ),
                key=lambda one: (one.list, one.id),
            )
    return found


Moments: TypeAlias = tuple[datetime, datetime, datetime, datetime | None]


def moments(target: Path, table: str, id_: str) -> Moments:
    """Read the moments of a row that is in one list."""
    with table_rows(target_files(target), table) as rows:
        (row,) = (row for row in rows if row.id == id_)
    return row.harvested_at, row.first_seen, row.last_seen, row.removed_at


def columns(target: Path, table: str) -> dict[str, dict[str, object]]:
    """Read the columns of the rows of a SQLite table that are there, by list and id."""
    with closing(sqlite3.connect(target)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute(f'SELECT * FROM "{table}" WHERE removed_at IS NULL')
        return {
            f"{row['list']} {row['id']}": {
                name: row[name]
                for name in row.keys()  # noqa: SIM118 - it is no mapping
                if name not in {"json", "harvested_at", "first_seen", "last_seen"}
            }
            for row in rows
        }
