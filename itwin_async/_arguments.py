"""Checks of what callers give, made before any request."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

import attrs

from itwin_async.errors import ArgumentError

T = TypeVar("T")

_SHOWN = 80


def invalid(name: str, value: object, allowed: str) -> ArgumentError:
    """Make the error for a value that is not allowed; the value is shortened."""
    return ArgumentError(f"{name} must be {allowed}; got {shown(value)}", argument=name)


def shown(value: object) -> str:
    """Write a value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def text(name: str, value: object) -> str:
    """Check a text that is sent to the platform: not blank, and writable as UTF-8."""
    if not isinstance(value, str) or not value.strip():
        raise invalid(name, value, "a non-empty string")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise invalid(name, value, "a string without surrogates")
    return value


def one_of(name: str, value: object, allowed: Collection[str]) -> str:
    """Check a value against a documented set."""
    if not isinstance(value, str) or value not in allowed:
        raise invalid(name, value, "one of " + ", ".join(repr(item) for item in allowed))
    return value


def flag(name: str, value: object) -> bool:
    """Check a boolean."""
    if not isinstance(value, bool):
        raise invalid(name, value, "True or False")
    return value


def whole(name: str, value: object, low: int, high: int | None = None) -> int:
    """Check a whole number; both bounds are allowed."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        fits = False
    else:
        fits = high is None or value <= high
    if not fits:
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise invalid(name, value, f"a whole number {bounds}")
    return value  # type: ignore[return-value]


def between(name: str, value: object, low: float, high: float) -> float:
    """Check a number; both bounds are allowed."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise invalid(name, value, f"a number from {low:g} to {high:g}")
    return value


def several(name: str, value: object) -> list[object]:
    """Check for one text or several; ``None`` and an empty list are neither."""
    if isinstance(value, str):
        return [value]
    found: list[object] = list(value) if isinstance(value, Iterable) else []
    if not found:
        raise invalid(name, value, "one string or several")
    return found


def instance(name: str, value: object, kind: type[T], allowed: str) -> T:
    """Check the type of a value."""
    if not isinstance(value, kind):
        raise invalid(name, value, allowed)
    return value


def optional(name: str, value: object, kind: type[T]) -> T | None:
    """Check the type of a value that may be ``None``."""
    return None if value is None else instance(name, value, kind, f"a {kind.__name__} or None")


def number(allowed: str, fits: Callable[[float], bool]) -> Callable[..., None]:
    """Make an attrs validator for a number that a float can hold."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _holds(value, fits):
            raise invalid(attribute.name, value, allowed)

    return check


def _holds(value: float, fits: Callable[[float], bool]) -> bool:
    try:
        return fits(float(value))
    except OverflowError:
        return False


above_zero = number("a number above 0", lambda value: value > 0)
not_negative = number("a number of at least 0", lambda value: value >= 0)
finite = number("a finite number above 0", lambda value: 0 < value < math.inf)


def count(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    """Validate a whole number of at least 0."""
    whole(attribute.name, value, 0)
