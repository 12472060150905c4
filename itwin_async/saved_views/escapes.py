"""
Characters that the Saved Views API refuses in the strings of a payload.

In names they cannot be written at all. In saved view data the platform's own clients write escapes
for them; so does this package, and reads them. A string that held an escape from the start, such as
``++dot++``, is therefore read as what the escape stands for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import cast

from itwin_async._arguments import text
from itwin_async.errors import ArgumentError

_ESCAPES = {
    "&": "++and++",
    ".": "++dot++",
    "<": "++lst++",
    ">": "++gtr++",
    "'": "++sqt++",
    '"': "++dqt++",
}
_CHARACTERS = {escape: character for character, escape in _ESCAPES.items()}
_FORBIDDEN = re.compile(f"[{re.escape(''.join(_ESCAPES))}]")
_ESCAPED = re.compile("|".join(map(re.escape, _CHARACTERS)))


def plain_name(name: str, value: object) -> str:
    """Check a name to show."""
    given = text(name, value)
    found = _FORBIDDEN.search(given)
    if found:
        raise ArgumentError(
            f"{name} must not contain any of {' '.join(_ESCAPES)}; {given!r} contains {found[0]}",
            argument=name,
        )
    return given


def escaped(value: Mapping[str, object]) -> dict[str, object]:
    """Write the strings of JSON with escapes; keys stay as they are."""
    return _each(value, lambda string: _FORBIDDEN.sub(lambda found: _ESCAPES[found[0]], string))


def unescaped(value: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """Read the escapes in the strings of JSON."""
    if value is None:
        return None
    return _each(value, lambda string: _ESCAPED.sub(lambda found: _CHARACTERS[found[0]], string))


def _each(value: Mapping[str, object], change: Callable[[str], str]) -> dict[str, object]:
    def changed(part: object) -> object:
        if isinstance(part, str):
            return change(part)
        if isinstance(part, Mapping):
            members = cast("Mapping[str, object]", part)
            return {name: changed(member) for name, member in members.items()}
        if isinstance(part, list | tuple):
            return [changed(entry) for entry in cast("list[object]", part)]
        return part

    return {name: changed(member) for name, member in value.items()}
