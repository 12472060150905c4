"""How long a call may take."""

from __future__ import annotations

import attrs

from itwin_async.errors import ArgumentError


def _seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ArgumentError(attribute.name, value, "a number of seconds above 0")


@attrs.frozen
class Timeout:
    """
    How long a call may take; all values in seconds.

    Args:
        total: from the call to its result, over all attempts and waits.
        attempt: for one request, from a free connection slot to the last byte of the answer.
        connect: for opening a connection.

    """

    total: float = attrs.field(default=300.0, validator=_seconds)
    attempt: float = attrs.field(default=60.0, validator=_seconds)
    connect: float = attrs.field(default=10.0, validator=_seconds)


def as_timeout(value: Timeout | float | None) -> Timeout:
    """
    Read limits as a caller may give them.

    Args:
        value: limits, the total alone in seconds, or ``None`` for the defaults.

    Returns:
        The limits.

    Raises:
        ArgumentError: it is no number of seconds.

    """
    if value is None:
        return Timeout()
    return value if isinstance(value, Timeout) else Timeout(total=value)
