"""Members of the JSON that operations send: checked, and spelled as the platform does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from itwin_async._arguments import one_of
from itwin_async._json.naming import wire_name
from itwin_async.errors import ArgumentError
from itwin_async.models import UNSET

Check: TypeAlias = Callable[[str, object], object]
"""Checks an argument by its name, and gives what is sent for it."""


def choice(*allowed: str) -> Check:
    """Make a check against a documented set."""
    return lambda name, value: one_of(name, value, allowed)


def nullable(check: Check) -> Check:
    """Let a member be ``None``, which is sent as null."""
    return lambda name, value: None if value is None else check(name, value)


def new(
    checks: Mapping[str, Check], required: Mapping[str, object], **optional: object
) -> dict[str, object]:
    """
    Write the members of an entity that is made; optional ones that are ``None`` are left out.

    Raises:
        ArgumentError: one of them cannot be sent.

    """
    given = {name: value for name, value in optional.items() if value is not None}
    return _checked(checks, {**required, **given})


def changes(checks: Mapping[str, Check], **given: object) -> dict[str, object]:
    """
    Write the members of an entity that are changed; those that are ``UNSET`` are left out.

    Raises:
        ArgumentError: one of them cannot be sent, or none is left.

    """
    found = {name: value for name, value in given.items() if value is not UNSET}
    if not found:
        raise ArgumentError(f"give at least one of {', '.join(given)}", argument=next(iter(given)))
    return _checked(checks, found)


def _checked(checks: Mapping[str, Check], given: Mapping[str, object]) -> dict[str, object]:
    return {wire_name(name): checks[name](name, value) for name, value in given.items()}
