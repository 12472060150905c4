"""All operations that the emulator serves."""

from __future__ import annotations

from itwin_async.emulator.platform import (
    briefcases,
    changeset_groups,
    changesets,
    checkpoints,
    creation,
    extended_data,
    imodel_users,
    imodels,
    itwins,
    locks,
    named_versions,
    saved_views,
    thumbnails,
)
from itwin_async.emulator.platform.routes import Router, ServedOperation

ROUTER = Router(
    (
        *imodels.ROUTES,
        *creation.ROUTES,
        *changesets.ROUTES,
        *named_versions.ROUTES,
        *checkpoints.ROUTES,
        *thumbnails.ROUTES,
        *briefcases.ROUTES,
        *locks.ROUTES,
        *imodel_users.ROUTES,
        *changeset_groups.ROUTES,
        *extended_data.ROUTES,
        *itwins.ROUTES,
        *saved_views.ROUTES,
    )
)
SERVED = tuple(ServedOperation(route.method, route.path, route.title) for route in ROUTER.routes)
