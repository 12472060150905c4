"""All operations that the emulator serves."""

from __future__ import annotations

from itwin_async.emulator.platform import imodels, itwins, saved_views
from itwin_async.emulator.platform.routes import Router, ServedOperation

ROUTER = Router((*imodels.ROUTES, *itwins.ROUTES, *saved_views.ROUTES))
SERVED = tuple(ServedOperation(route.method, route.path, route.title) for route in ROUTER.routes)
