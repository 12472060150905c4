"""What tags and groups belong to, and may be listed by."""

from __future__ import annotations

from itwin_async._http.urls import guid
from itwin_async.models import Id
from itwin_async.operations import query


def owner(itwin_id: Id | None, imodel_id: Id | None) -> dict[str, str]:
    """Check the ids of an iTwin, an iModel, both or none."""
    return query({"itwin_id": guid, "imodel_id": guid}, itwin_id=itwin_id, imodel_id=imodel_id)
