"""Checks that wings share: refuse before any request what the platform documents as an error."""

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


def text(name: str, value: object) -> str:
    """
    Check a text that is sent to the platform.

    Args:
        name: the argument's name.
        value: what the caller gave.

    Returns:
        The text.

    Raises:
        ArgumentError: it is no text, blank, or holds half a character that UTF-8 cannot write.

    """
    if not isinstance(value, str) or not value.strip():
        raise ArgumentError(name, value, "a text that is not blank")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ArgumentError(name, value, "a text without surrogates")
    return value


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


def count(name: str, value: object) -> int:
    """
    Check an argument that counts something.

    Args:
        name: the argument's name.
        value: what the caller gave.

    Returns:
        The value.

    Raises:
        ArgumentError: it is not a whole number of at least 1.

    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(name, value, "a whole number of at least 1")
    return value


def whole(name: str, value: object, low: int, high: int | None) -> int:
    """
    Check a whole number.

    Args:
        name: the argument's name.
        value: what the caller gave.
        low: the least that is allowed.
        high: the most that is allowed; ``None`` for no bound.

    Returns:
        The value.

    Raises:
        ArgumentError: it is no whole number, or out of bounds.

    """
    bounds = f"a whole number from {low} to {high}" if high is not None else f"at least {low}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentError(name, value, bounds)
    if value < low or (high is not None and value > high):
        raise ArgumentError(name, value, bounds)
    return value
