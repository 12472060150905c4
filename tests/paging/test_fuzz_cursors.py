"""Cursors as strangers may send them: read, or refused before any request."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from itwin_async import ArgumentError, Session, imodels, itwins, saved_views

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
SESSION = Session("a-token")
GOOD = [
    imodels.list_favorites(SESSION, GUID).pages().cursor,
    itwins.list_favorites(SESSION, page_size=5).pages().cursor,
    saved_views.list_tags(SESSION, itwin_id=GUID).pages().cursor,
]


def take(cursor: Any) -> None:
    """Give a cursor to each kind of list."""
    for make in (
        lambda: imodels.list_favorites(SESSION, GUID, cursor=cursor),
        lambda: itwins.list_favorites(SESSION, cursor=cursor),
        lambda: saved_views.list_tags(SESSION, itwin_id=GUID, cursor=cursor),
    ):
        refused: ArgumentError | None = None
        try:
            assert isinstance(make().pages().cursor, str)
        except ArgumentError as error:
            refused = error
        if refused is not None:
            assert refused.argument == "cursor"
            assert "a-token" not in str(refused)
            assert len(str(refused)) < 500


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.text() | st.binary() | values)
@example("")
@example("\ud800")
def test_anything_at_all(cursor: Any) -> None:
    if cursor is not None:
        take(cursor)


@settings(deadline=None)
@given(st.sampled_from(GOOD), st.floats(0, 1, exclude_max=True), st.text(max_size=3))
def test_a_mutated_cursor(cursor: str, share: float, piece: str) -> None:
    at = int(len(cursor) * share)
    take(cursor[:at] + piece + cursor[at + 1 :])


@settings(deadline=None)
@given(st.lists(values, max_size=6))
def test_a_forged_cursor(parts: list[Any]) -> None:
    text = json.dumps([1, "imodels.list_favorites", *parts]).encode()
    take(base64.urlsafe_b64encode(text).decode().rstrip("="))


@settings(deadline=None)
@given(st.sampled_from(GOOD), st.text(max_size=40), st.integers(-5, 10**30))
def test_a_cursor_with_another_target(cursor: str, target: str, offset: int) -> None:
    parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    parts[3], parts[4] = target, offset
    text = json.dumps(parts).encode()
    take(base64.urlsafe_b64encode(text).decode().rstrip("="))
