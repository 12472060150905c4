"""The Saved Views API: tags."""

from __future__ import annotations

from itwin_async.saved_views.api import api
from itwin_async.saved_views.models import Tag, TagLinks
from itwin_async.saved_views.tags import create_tag, delete_tag, get_tag, list_tags, update_tag

__all__ = [
    "Tag",
    "TagLinks",
    "api",
    "create_tag",
    "delete_tag",
    "get_tag",
    "list_tags",
    "update_tag",
]
