"""Members and query options that operations send: checked, and spelled as the platform does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

from itwin_async._arguments import invalid, one_of
from itwin_async._json.naming import wire_name
from itwin_async.errors import ArgumentError
from itwin_async.models import UNSET

Check: TypeAlias = Callable[[str, object], object]
"""Checks an argument by its name, and gives what is sent for it."""
Checks: TypeAlias = Mapping[str, Check]
"""Checks by names of arguments; ``"$search"`` is the query option of the argument ``search``."""


def choice(*allowed: str) -> Check:
    """Make a check against a documented set."""
    return lambda name, value: one_of(name, value, allowed)


def orders(*allowed: str) -> Check:
    """Make a check of one order or several, written with commas."""

    def check(name: str, value: object) -> str:
        if isinstance(value, str):
            return one_of(name, value, allowed)
        if not isinstance(value, Sequence) or not value:
            raise invalid(name, value, "one order or a sequence of them")
        return ",".join([one_of(name, order, allowed) for order in value])

    return check


def nullable(check: Check) -> Check:
    """Let a member be ``None``, which is sent as null."""
    return lambda name, value: None if value is None else check(name, value)


def query(checks: Checks, **given: object) -> dict[str, str]:
    """
    Write a query; what is ``None`` is left out.

    Raises:
        ArgumentError: one of them cannot be sent.

    """
    return {name: str(value) for name, value in new(checks, {}, **given).items()}


def new(checks: Checks, required: Mapping[str, object], **optional: object) -> dict[str, object]:
    """
    Write the members of an entity that is made; optional ones that are ``None`` are left out.

    Raises:
        ArgumentError: one of them cannot be sent.

    """
    given = {name: value for name, value in optional.items() if value is not None}
    return _checked(checks, {**required, **given})


def changes(checks: Checks, **given: object) -> dict[str, object]:
    """
    Write the members of an entity that are changed; those that are ``UNSET`` are left out.

    Raises:
        ArgumentError: one of them cannot be sent, or none is left.

    """
    found = {name: value for name, value in given.items() if value is not UNSET}
    if not found:
        raise ArgumentError(f"give at least one of {', '.join(given)}", argument=next(iter(given)))
    return _checked(checks, found)


def _checked(checks: Checks, given: Mapping[str, object]) -> dict[str, object]:
    written: dict[str, object] = {}
    for name, value in given.items():
        wire = wire_name(name)
        if isinstance(value, UUID):
            value = str(value)  # noqa: PLW2901 - ids may be given so
        option = f"${wire}"
        if option in checks:
            written[option] = checks[option](name, value)
        else:
            written[wire] = checks[name](name, value)
    return written
