"""The iModels API, on which its operations are declared."""

from __future__ import annotations

from itwin_async.operations import Api

api = Api("imodels", "/imodels", "application/vnd.bentley.itwin-platform.v2+json")
