"""All operations that the emulator serves."""

from __future__ import annotations

from itwin_async.emulator.platform import (
    imodels,
    itwins,
    saved_view_groups,
    saved_view_parts,
    saved_view_views,
    saved_views,
)
from itwin_async.emulator.platform.routes import Router, ServedOperation

ROUTER = Router(
    (
        *imodels.ROUTES,
        *itwins.ROUTES,
        *saved_views.ROUTES,
        *saved_view_groups.ROUTES,
        *saved_view_views.ROUTES,
        *saved_view_parts.ROUTES,
    )
)
SERVED = tuple(ServedOperation(route.method, route.path, route.title) for route in ROUTER.routes)
