"""The iTwins API: favorites and recently used iTwins of the calling user."""

from __future__ import annotations

from itwin_async.itwins.api import api
from itwin_async.itwins.favorites import add_favorite, list_favorites, remove_favorite
from itwin_async.itwins.filters import ITwinFilters, ListOptions, Status, SubClass
from itwin_async.itwins.models import ITwin, ITwinSummary
from itwin_async.itwins.recents import add_recent, list_recents

__all__ = [
    "ITwin",
    "ITwinFilters",
    "ITwinSummary",
    "ListOptions",
    "Status",
    "SubClass",
    "add_favorite",
    "add_recent",
    "api",
    "list_favorites",
    "list_recents",
    "remove_favorite",
]
