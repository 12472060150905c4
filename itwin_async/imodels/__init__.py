"""The iModels API: iModels and all that belongs to them."""

from __future__ import annotations

from itwin_async.imodels.api import api
from itwin_async.imodels.baseline_file import (
    BaselineFile,
    BaselineFileLinks,
    complete_baseline_file,
    get_baseline_file,
)
from itwin_async.imodels.creation import (
    CopyOrigin,
    CreateOperation,
    clone,
    create_imodel,
    creation,
    fork,
    get_create_operation,
)
from itwin_async.imodels.favorites import add_favorite, list_favorites, remove_favorite
from itwin_async.imodels.imodels import (
    IModelOrder,
    IModelState,
    delete_imodel,
    get_imodel,
    list_imodels,
    update_imodel,
)
from itwin_async.imodels.models import (
    Application,
    Extent,
    IModel,
    IModelLinks,
    IModelSummary,
    Point,
    StorageLink,
)
from itwin_async.imodels.recents import add_recent, list_recents, remove_recent
from itwin_async.imodels.thumbnails import ThumbnailSize, get_thumbnail, upload_thumbnail

__all__ = [
    "Application",
    "BaselineFile",
    "BaselineFileLinks",
    "CopyOrigin",
    "CreateOperation",
    "Extent",
    "IModel",
    "IModelLinks",
    "IModelOrder",
    "IModelState",
    "IModelSummary",
    "Point",
    "StorageLink",
    "ThumbnailSize",
    "add_favorite",
    "add_recent",
    "api",
    "clone",
    "complete_baseline_file",
    "create_imodel",
    "creation",
    "delete_imodel",
    "fork",
    "get_baseline_file",
    "get_create_operation",
    "get_imodel",
    "get_thumbnail",
    "list_favorites",
    "list_imodels",
    "list_recents",
    "remove_favorite",
    "remove_recent",
    "update_imodel",
    "upload_thumbnail",
]
