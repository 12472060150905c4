"""What a user may do with an iModel."""

from __future__ import annotations

from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.world.collaboration import PermissionsRecord

PERMISSIONS = (
    "imodels_webview",
    "imodels_read",
    "imodels_write",
    "imodels_manage",
    "imodels_delete",
)


def permissions_of(call: Call, imodel_id: str) -> tuple[str, ...]:
    """Return the caller's permissions on an iModel: all, unless a test gave others."""
    found = call.world.belongings.of(PermissionsRecord, imodel_id).get(call.user.id)
    return PERMISSIONS if found is None else found.permissions


def may(call: Call, imodel_id: str, permission: str) -> bool:
    """Whether the caller has a permission on an iModel."""
    return permission in permissions_of(call, imodel_id)


def require(call: Call, imodel_id: str, permission: str) -> None:
    """Fail with 403 unless the caller has a permission on an iModel."""
    if not may(call, imodel_id, permission):
        raise errors.OperationError(errors.INSUFFICIENT_PERMISSIONS)
