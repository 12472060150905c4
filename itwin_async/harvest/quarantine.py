"""Items that were set aside, since they cannot be read or stored; their lists are whole without."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

import attrs

from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.columns import moment_of
from itwin_async.harvest.errors import reading
from itwin_async.harvest.target import target_files


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
    with reading(files.place), closing(Checkpoint(files.place, writable=False)) as checkpoint:
        if not checkpoint.has_quarantine:
            return []
        rows = checkpoint.database.execute(
            "SELECT key, list_name, name, table_name, page, position, json,"
            " harvest_quarantine.error, harvested_at FROM harvest_quarantine"
            " JOIN harvest_lists ON harvest_lists.number = list"
            " JOIN harvest_sources ON harvest_sources.number = source"
            " ORDER BY list, page, position LIMIT ?",
            (2**62 if limit is None else limit,),
        )
    return [
        Quarantined(key, name, source, table, page, position, json, error, moment_of(when))
        for key, name, source, table, page, position, json, error, when in rows
    ]


def copy_odd_items(
    old: sqlite3.Connection, new: sqlite3.Connection, name_of: Callable[[str], str]
) -> None:
    """Copy the items that were set aside to the same lists; sources may have other names there."""
    rows = old.execute(
        "SELECT page, position, json, harvest_quarantine.error, harvested_at, name, key"
        " FROM harvest_quarantine JOIN harvest_lists ON harvest_lists.number = list"
        " JOIN harvest_sources ON harvest_sources.number = source"
        " ORDER BY list, page, position"
    )
    new.executemany(
        "INSERT OR IGNORE INTO harvest_quarantine SELECT number, ?, ?, ?, ?, ? FROM harvest_lists"
        " WHERE source = (SELECT number FROM harvest_sources WHERE name = ?) AND key = ?",
        ((*item, name_of(name), key) for *item, name, key in rows),
    )
