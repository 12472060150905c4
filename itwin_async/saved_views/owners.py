"""What tags and groups belong to, and may be listed by."""

from __future__ import annotations

from itwin_async._http.urls import guid


def owner(itwin_id: str | None, imodel_id: str | None) -> dict[str, str]:
    """Check the ids of an iTwin, an iModel, both or none."""
    given = {"iTwinId": ("itwin_id", itwin_id), "iModelId": ("imodel_id", imodel_id)}
    return {wire: guid(name, value) for wire, (name, value) in given.items() if value is not None}
