"""All operations that the emulator serves."""

from __future__ import annotations

from itwin_async.emulator.platform import (
    briefcases,
    changeset_groups,
    changesets,
    checkpoints,
    creation,
    exports,
    extended_data,
    imodel_users,
    imodels,
    itwin_images,
    itwins,
    locks,
    named_versions,
    repositories,
    resources,
    saved_view_groups,
    saved_view_parts,
    saved_view_views,
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
        *repositories.ROUTES,
        *resources.ROUTES,
        *exports.ROUTES,
        *itwin_images.ROUTES,
        *saved_views.ROUTES,
        *saved_view_groups.ROUTES,
        *saved_view_views.ROUTES,
        *saved_view_parts.ROUTES,
    )
)
SERVED = tuple(ServedOperation(route.method, route.path, route.title) for route in ROUTER.routes)
