"""Rows as HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape

from itwin_async._tables.columns import columns_of

SHOWN = 20
"""How many rows are shown; what comes behind them is told in words."""

_WIDTH = 80


def items_html(cls: type, items: Sequence[object], *, title: str, note: str) -> str:
    """Write the first items as a table, with a column for each plain attribute that any has."""
    first = items[:SHOWN]
    found = [
        column
        for column in columns_of(cls, hidden=False)
        if column.kind not in {"nested", "json"}
        and any(getattr(item, column.path) is not None for item in first)
    ]
    if not first:
        return table_html([], [], title=title, note=note)
    if not found:
        return table_html(["item"], [[repr(item)] for item in first], title=title, note=note)
    rows = [[getattr(item, column.path) for column in found] for item in first]
    return table_html([column.name for column in found], rows, title=title, note=note)


def facts_html(facts: Mapping[str, object], *, title: str, note: str = "") -> str:
    """Write names and values as a table of two columns."""
    return table_html([], facts.items(), title=title, note=note)


def table_html(
    head: Sequence[str], rows: Iterable[Iterable[object]], *, title: str, note: str
) -> str:
    """Write a table below its title and above a note; every text is escaped."""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    first = f"<thead><tr>{names}</tr></thead>" if names else ""
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows
    )
    last = f"<p>{escape(note)}</p>" if note else ""
    return (
        f'<div style="overflow-x:auto"><p><b>{escape(title)}</b></p>'
        f'<table style="white-space:nowrap">{first}<tbody>{body}</tbody></table>{last}</div>'
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)
    return escape(text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…")
