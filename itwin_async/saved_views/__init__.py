"""The Saved Views API: saved views with their pictures and extensions, groups and tags."""

from __future__ import annotations

from itwin_async.saved_views.api import api
from itwin_async.saved_views.extensions import (
    create_extension,
    delete_extension,
    get_extension,
    list_extensions,
)
from itwin_async.saved_views.groups import (
    create_group,
    delete_group,
    get_group,
    list_groups,
    update_group,
)
from itwin_async.saved_views.images import (
    ImageSize,
    get_image,
    image_bytes,
    update_image,
)
from itwin_async.saved_views.models import (
    Extension,
    ExtensionLinks,
    Group,
    GroupLinks,
    SavedView,
    SavedViewData,
    SavedViewLinks,
    SavedViewSummary,
    Tag,
    TagLinks,
)
from itwin_async.saved_views.tags import create_tag, delete_tag, get_tag, list_tags, update_tag
from itwin_async.saved_views.views import (
    create_saved_view,
    delete_saved_view,
    get_saved_view,
    list_saved_views,
    update_saved_view,
)

__all__ = [
    "Extension",
    "ExtensionLinks",
    "Group",
    "GroupLinks",
    "ImageSize",
    "SavedView",
    "SavedViewData",
    "SavedViewLinks",
    "SavedViewSummary",
    "Tag",
    "TagLinks",
    "api",
    "create_extension",
    "create_group",
    "create_saved_view",
    "create_tag",
    "delete_extension",
    "delete_group",
    "delete_saved_view",
    "delete_tag",
    "get_extension",
    "get_group",
    "get_image",
    "get_saved_view",
    "get_tag",
    "image_bytes",
    "list_extensions",
    "list_groups",
    "list_saved_views",
    "list_tags",
    "update_group",
    "update_image",
    "update_saved_view",
    "update_tag",
]
