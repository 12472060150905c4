"""Which operation a method and path mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import attrs

from itwin_async.emulator.platform import (
    imodel_entities,
    imodels,
    itwin_entities,
    itwins,
    saved_views,
)
from itwin_async.emulator.requests import split_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from itwin_async.emulator.platform.calls import Call
    from itwin_async.emulator.responses import Answer

_ACCEPT = "application/vnd.bentley.itwin-platform.v{}+json"
_VERSIONS = {"imodels": 2, "itwins": 1, "savedviews": 1}
_ANY = {"*/*", "application/*", "application/json"}


@attrs.frozen
class Route:
    """
    An operation of the platform.

    Args:
        method: the HTTP method.
        pattern: the path, with `{id}` for an id.
        handler: what answers.
        title: the platform's name of the operation.

    """

    method: str
    pattern: str
    handler: Callable[[Call], Answer]
    title: str

    @property
    def api(self) -> str:
        """The first segment of the path."""
        return self.pattern.split("/")[1]

    @property
    def media_type(self) -> str:
        """What `Accept` has to say."""
        return _ACCEPT.format(_VERSIONS[self.api])


ROUTES: Sequence[Route] = (
    Route("GET", "/imodels/favorites", imodels.list_favorites, "Get My Favorite iModels"),
    Route("PUT", "/imodels/favorites/{id}", imodels.add_favorite, "Add iModel to My Favorites"),
    Route(
        "DELETE",
        "/imodels/favorites/{id}",
        imodels.remove_favorite,
        "Remove iModel from My Favorites",
    ),
    Route("GET", "/imodels/recents", imodels.list_recents, "Get My Recently Used iModels"),
    Route("POST", "/imodels/recents/{id}", imodels.add_recent, "Add iModel to My Recents"),
    Route(
        "DELETE",
        "/imodels/recents/{id}",
        imodels.remove_recent,
        "Remove iModel from My Recents",
    ),
    Route("GET", "/imodels", imodels.list_imodels, "Get iTwin iModels"),
    Route("POST", "/imodels", imodel_entities.create_imodel, "Create iModel"),
    Route("GET", "/imodels/{id}", imodel_entities.get_imodel, "Get iModel"),
    Route("PATCH", "/imodels/{id}", imodel_entities.update_imodel, "Update iModel"),
    Route("DELETE", "/imodels/{id}", imodel_entities.delete_imodel, "Delete iModel"),
    Route("GET", "/itwins/favorites", itwins.list_favorites, "Get My Favorite iTwins"),
    Route("POST", "/itwins/favorites/{id}", itwins.add_favorite, "Add iTwin to My Favorites"),
    Route(
        "DELETE",
        "/itwins/favorites/{id}",
        itwins.remove_favorite,
        "Remove iTwin from My Favorites",
    ),
    Route("GET", "/itwins/recents", itwins.list_recents, "Get My Recently Used iTwins"),
    Route("POST", "/itwins/recents/{id}", itwins.add_recent, "Add iTwin to My Recents"),
    Route("GET", "/itwins", itwins.list_itwins, "Get My iTwins"),
    Route("POST", "/itwins", itwin_entities.create_itwin, "Create iTwin"),
    Route(
        "GET",
        "/itwins/myprimaryaccount",
        itwin_entities.get_primary_account,
        "Get My Primary Account",
    ),
    Route("GET", "/itwins/{id}", itwin_entities.get_itwin, "Get iTwin"),
    Route("PATCH", "/itwins/{id}", itwin_entities.update_itwin, "Update iTwin"),
    Route("DELETE", "/itwins/{id}", itwin_entities.delete_itwin, "Delete iTwin"),
    Route("GET", "/itwins/{id}/account", itwin_entities.get_account, "Get iTwin Account"),
    Route("POST", "/savedviews/tags", saved_views.create_tag, "Create Tag"),
    Route("GET", "/savedviews/tags", saved_views.list_tags, "Get All Tags"),
    Route("GET", "/savedviews/tags/{id}", saved_views.get_tag, "Get Tag"),
    Route("PATCH", "/savedviews/tags/{id}", saved_views.update_tag, "Update Tag"),
    Route("DELETE", "/savedviews/tags/{id}", saved_views.delete_tag, "Delete Tag"),
)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """
    Return the operation that a request means.

    Args:
        method: the HTTP method.
        path: the path as it was sent, percent-encoding and all.

    Returns:
        The operation and what its placeholders hold, or nothing.

    """
    segments = split_path(path)
    for route, parts in _TABLE.get((method, len(segments)), ()):
        params: dict[str, str] = {}
        for part, segment in zip(parts, segments, strict=True):
            if part == "{id}" and segment:
                params["id"] = unquote(segment, errors="replace")
            elif part != segment.lower():
                break
        else:
            return route, params
    return None


def accepts(header: str | None, route: Route) -> bool:
    """Whether an `Accept` header allows what an operation answers."""
    if header is None or not header.strip():
        return True
    kinds = {re.split(r"\s*;", kind.strip(), maxsplit=1)[0].lower() for kind in header.split(",")}
    return bool(kinds & {*_ANY, route.media_type})


def _table() -> dict[tuple[str, int], list[tuple[Route, list[str]]]]:
    table: dict[tuple[str, int], list[tuple[Route, list[str]]]] = {}
    for route in ROUTES:
        parts = split_path(route.pattern)
        table.setdefault((route.method, len(parts)), []).append((route, parts))
    return table


_TABLE = _table()
