"""Items that were set aside, since they cannot be read or stored; their lists are whole without."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from typing import TypeAlias

import attrs

from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.columns import moment_of
from itwin_async.harvest.errors import reading
from itwin_async.harvest.target import target_files

OddItem: TypeAlias = tuple[object, ...]
"""Page, position, JSON, error and moment of an item, and source and key of its list."""


@attrs.frozen
class Quarantined:
    """
    An item that was set aside.

    Attributes:
        list: key of its list.
        list_name: display name of what it is the list of, if it is known.
        source: name of the source.
        table: table that it would be in; ``None`` where the list only leads to others.
        page: number of its page, from 1.
        position: where it stands in the page, from 0.
        json: the item as the platform sent it.
        error: why it cannot be read or stored.
        harvested_at: when it was read.

    """

    list: str
    list_name: str | None
    source: str
    table: str | None
    page: int
    position: int
    json: str
    error: str
    harvested_at: datetime


def quarantined(target: str | os.PathLike[str], limit: int | None = None) -> list[Quarantined]:
    """
    List the items of a target that were set aside, the first so many or all.

    Raises:
        TargetError: there is no such harvest, or it cannot be read.
        ArgumentError: the name has none of the known endings.

    """
    files = target_files(target)
    with reading(files.state), closing(Checkpoint(files.state, writable=False)) as checkpoint:
        if not checkpoint.has_quarantine:
            return []
        rows = checkpoint.connection.execute(
            "SELECT key, list_name, name, table_name, page, position, json,"
            " harvest_quarantine.error, harvested_at FROM harvest_quarantine"
            " JOIN harvest_lists ON harvest_lists.number = list"
            " JOIN harvest_sources ON harvest_sources.number = source"
            " ORDER BY harvest_quarantine.rowid LIMIT ?",
            (-1 if limit is None else limit,),
        ).fetchall()
    return [
        Quarantined(key, name, source, table, page, position, json, error, moment_of(when))
        for key, name, source, table, page, position, json, error, when in rows
    ]


def odd_items(connection: sqlite3.Connection) -> list[OddItem]:
    """Read the items that were set aside, to copy them to another target."""
    return connection.execute(
        "SELECT page, position, json, harvest_quarantine.error, harvested_at, name, key"
        " FROM harvest_quarantine JOIN harvest_lists ON harvest_lists.number = list"
        " JOIN harvest_sources ON harvest_sources.number = source"
        " ORDER BY harvest_quarantine.rowid"
    ).fetchall()


def add_odd_items(
    connection: sqlite3.Connection, items: Iterable[OddItem], *, of_unread: bool = False
) -> None:
    """Add items to their lists, or only to the lists that were not read."""
    add = (
        "INSERT OR IGNORE INTO harvest_quarantine SELECT number, ?, ?, ?, ?, ? FROM harvest_lists"
        " WHERE source = (SELECT number FROM harvest_sources WHERE name = ?) AND key = ?"
    )
    connection.executemany(f"{add} AND unread" if of_unread else add, items)
