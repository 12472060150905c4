"""The Saved Views API, on which its operations are declared."""

from __future__ import annotations

from itwin_async.operations import Api

api = Api("saved_views", "/savedviews", "application/vnd.bentley.itwin-platform.v1+json")
