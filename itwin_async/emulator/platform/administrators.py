"""Organization administrators: every user is one, unless a test says otherwise."""

from __future__ import annotations

from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.world.itwin_data import OrdinaryUserRecord


def administrates(call: Call) -> bool:
    """Whether the caller is an organization administrator."""
    return call.user.name not in call.world.belongings.of(OrdinaryUserRecord)


def require_administrator(call: Call) -> None:
    """Fail with 403 unless the caller is an organization administrator."""
    if not administrates(call):
        raise errors.OperationError(errors.INSUFFICIENT_PERMISSIONS)
