"""What an error of PostgreSQL means for a harvest."""

from __future__ import annotations

from typing import Literal, TypeAlias

Meaning: TypeAlias = Literal["full", "damaged", "other"]

_FULL = "53100"
_NO_RIGHT = "42501"
# A schema, a table, a column, a function that is not there, or not as it was made.
_CHANGED = {"3F000", "42P01", "42703", "42883", "42804", "42P10"}
_BROKEN = {"XX001", "XX002"}  # data or an index is corrupted


def meaning(problem: Exception) -> tuple[Meaning, str] | None:
    """Tell what an error means, and its text on one line; ``None`` if it is not PostgreSQL's."""
    if not type(problem).__module__.startswith("psycopg"):
        return None
    state = getattr(problem, "sqlstate", None)
    told = getattr(getattr(problem, "diag", None), "message_primary", None)
    text = " ".join((told or str(problem) or type(problem).__name__).split())
    if state == _FULL:
        return "full", text
    if state in _CHANGED:
        return "damaged", f"{text}; something was dropped or changed since it was made"
    if state in _BROKEN:
        return "damaged", text
    if state == _NO_RIGHT:
        return "other", f"{text}; the user lacks a right (CREATE in the database, or the tables')"
    return "other", text
