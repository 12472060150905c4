"""Errors of stores, told without addresses that give access."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from itwin_async.errors import ITwinError
from itwin_async.harvest.errors import TargetError

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_QUERY = re.compile(r"\?[^\s\"')]*")
_USER = re.compile(r"//[^/@\s]*@")
_LONGEST = 400
_TRIES = 40
_PAUSE = 0.05  # seconds before the first repetition
_LONGEST_PAUSE = 3.0

T = TypeVar("T")


@contextmanager
def explained(name: str, what: str) -> Iterator[None]:
    """
    Make a ``TargetError`` of whatever a store's library raises.

    Args:
        name: the target.
        what: what it cannot be: written, read.

    """
    try:
        yield
    except (ITwinError, MemoryError):
        raise
    except Exception as problem:  # noqa: BLE001 - each library has exceptions of its own
        # Its own text and its traceback may hold signed addresses.
        raise TargetError(f"{name} cannot be {what}: {without_secrets(str(problem))}") from None


def without_secrets(text: str) -> str:
    """Shorten the text of an error to one line without queries and user names."""
    first = text.split("Debug source:", maxsplit=1)[0]
    line = " ".join(_COLORS.sub("", first).replace("↳", ":").split()).replace(" :", ":")
    return _USER.sub("//", _QUERY.sub("", line))[:_LONGEST]


def repeatedly(
    name: str,
    attempt: Callable[[], T],
    refused: type[Exception],
    sleep: Callable[[float], object],
) -> T:
    """
    Try again where another machine's commit came first: what it added is seen then.

    Args:
        name: the target.
        attempt: reads what is there, and commits what is not.
        refused: raised where a commit is refused.
        sleep: waits.

    """
    pause, last = _PAUSE, ""
    for _ in range(_TRIES):
        with explained(name, "written"):
            try:
                return attempt()
            except refused as problem:
                last = without_secrets(str(problem))
        sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - to part those who wait
        pause = min(2 * pause, _LONGEST_PAUSE)
    raise TargetError(f"{name} cannot be written: {_TRIES} commits were refused; {last}")
