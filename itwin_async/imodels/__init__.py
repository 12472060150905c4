"""The iModels API: favorites and recently used iModels of the calling user."""

from __future__ import annotations

from itwin_async.imodels.api import api
from itwin_async.imodels.favorites import add_favorite, list_favorites, remove_favorite
from itwin_async.imodels.models import Extent, IModel, IModelLinks, IModelSummary, Point
from itwin_async.imodels.recents import add_recent, list_recents, remove_recent

__all__ = [
    "Extent",
    "IModel",
    "IModelLinks",
    "IModelSummary",
    "Point",
    "add_favorite",
    "add_recent",
    "api",
    "list_favorites",
    "list_recents",
    "remove_favorite",
    "remove_recent",
]
