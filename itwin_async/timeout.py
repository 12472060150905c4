"""How long a call may take."""

from __future__ import annotations

import attrs

from itwin_async._arguments import above_zero


@attrs.frozen
class Timeout:
    """
    How long a call may take; all values in seconds.

    Args:
        total: from the call to its result, over all attempts and waits.
        attempt: for one request, from a free connection slot to the last byte of the answer.
        connect: for opening a connection.

    """

    total: float = attrs.field(default=300.0, validator=above_zero)
    attempt: float = attrs.field(default=60.0, validator=above_zero)
    connect: float = attrs.field(default=10.0, validator=above_zero)
