"""What tasks tell the keeper of the target, in the order in which it must become durable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import attrs

from itwin_async.paging import Page


@attrs.frozen
class Entry:
    """
    A list to be walked.

    Attributes:
        number: its number in the target.
        key: what it is the list of.
        cursor: where to go on, or ``None`` for the start.

    """

    number: int
    key: str
    cursor: str | None


@attrs.frozen
class Found:
    """A page of the outer list: keys with titles, and the place behind it."""

    keys: Sequence[tuple[str, str | None]]
    cursor: str | None
    done: bool


@attrs.frozen(eq=False)
class Rows:
    """
    A page of a list, and the place behind it.

    Attributes:
        entry: the list.
        page: the page; what the platform sent is cut into items where it is written, since a page
            that waits should not be there twice.
        cursor: the place behind them.
        done: whether the list ends there.
        shifting: whether the list may give an item twice.

    """

    entry: Entry
    page: Page[object]
    cursor: str
    done: bool
    shifting: bool = False


@attrs.frozen
class Ended:
    """A list had nothing more."""

    entry: Entry


@attrs.frozen
class Failed:
    """A list could not be read on."""

    entry: Entry
    kind: str
    error: str


@attrs.frozen
class Restarted:
    """A list begins again from its start; what is there already must not come twice."""

    entry: Entry


Message: TypeAlias = Found | Rows | Ended | Failed | Restarted
