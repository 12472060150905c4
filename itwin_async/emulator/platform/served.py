"""All operations that the emulator serves."""

from __future__ import annotations

from itwin_async.emulator.platform import (
    briefcases,
    changeset_groups,
    imodel_users,
    imodels,
    itwins,
    locks,
    saved_views,
    thumbnails,
)
from itwin_async.emulator.platform.routes import Router, ServedOperation

ROUTER = Router(
    (
        *imodels.ROUTES,
        *thumbnails.ROUTES,
        *briefcases.ROUTES,
        *locks.ROUTES,
        *imodel_users.ROUTES,
        *changeset_groups.ROUTES,
        *itwins.ROUTES,
        *saved_views.ROUTES,
    )
)
SERVED = tuple(ServedOperation(route.method, route.path, route.title) for route in ROUTER.routes)
