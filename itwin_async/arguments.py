"""
Checks that wings share: refuse before any request what the platform documents as an error.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

from itwin_async.errors import ArgumentError

Prefer: TypeAlias = Literal["minimal", "representation"]


def prefer_header(prefer: str) -> str:
    """
    Make the ``Prefer`` header for a level of detail.

    Args:
        prefer: ``"minimal"`` or ``"representation"``.

    Returns:
        The header's value.

    Raises:
        ArgumentError: it is neither.

    """
    return f"return={one_of('prefer', prefer, ('minimal', 'representation'))}"


def one_of(name: str, value: object, allowed: Collection[str]) -> str:
    """
    Check a value against a documented set.

    Args:
        name: the argument's name.
        value: what the caller gave.
        allowed: the documented values.

    Returns:
        The value.

    Raises:
        ArgumentError: it is not among them.

    """
    if not isinstance(value, str) or value not in allowed:
        raise ArgumentError(name, value, "one of " + ", ".join(repr(item) for item in allowed))
    return value
