"""Errors of stores, told without addresses that give access."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from itwin_async.errors import ITwinError
from itwin_async.harvest.errors import TargetError

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_QUERY = re.compile(r"\?[^\s\"')]*")
_USER = re.compile(r"//[^/@\s]*@")
_LONGEST = 400


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
