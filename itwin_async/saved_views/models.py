"""What the Saved Views API tells about views, groups, tags and extensions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

import attrs

from itwin_async._json.model import model
from itwin_async._json.naming import spelled
from itwin_async._json.pydantic import known_to_pydantic
from itwin_async.models import Link
from itwin_async.saved_views.escapes import unescaped


@model
@spelled(imodel="imodel")
class TagLinks:
    """
    Addresses of what belongs to a tag; the platform may leave out any of them.

    Attributes:
        itwin: the iTwin.
        imodel: the iModel.
        creator: the user who made it.
        project: the iTwin at the address of a retired API; in older answers.

    """

    itwin: Link | None = None
    imodel: Link | None = None
    creator: Link | None = None
    project: Link | None = None


@model
class Tag:
    """
    A tag that organizes saved views.

    Attributes:
        id: opaque id.
        display_name: name to show.
        links: addresses of what belongs to it; not in a saved view.

    """

    id: str
    display_name: str | None = None
    links: TagLinks | None = None


@model
@spelled(imodel="imodel")
class GroupLinks(TagLinks):
    """
    Addresses of what belongs to a group; the platform may leave out any of them.

    Attributes:
        saved_views: its saved views.

    """

    saved_views: Link | None = None


@model
class Group:
    """
    A group of saved views.

    Attributes:
        id: opaque id.
        display_name: name to show.
        shared: whether others see it.
        read_only: whether others cannot change it; not documented.
        links: addresses of what belongs to it.

    """

    id: str
    display_name: str | None = None
    shared: bool | None = None
    read_only: bool | None = None
    links: GroupLinks | None = None


@model
@spelled(imodel="imodel")
class ExtensionLinks(TagLinks):
    """
    Addresses of what belongs to an extension; the platform may leave out any of them.

    Attributes:
        saved_view: the saved view.

    """

    saved_view: Link | None = None


def _parsed(data: object) -> object:
    """Read data that came as JSON text; what is no JSON stays a text."""
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data


@known_to_pydantic
@attrs.frozen
class Extension:
    """
    What a saved view holds beside the view, for one feature of an application.

    Attributes:
        extension_name: such as ``"EmphasizeElements"``.
        data: JSON, whether the platform gave it as such or as a text; not in lists.
        markdown_url: address of its description; not in lists.
        schema_url: address of its schema; not in lists.
        href: address of it; only in lists.
        links: addresses of what belongs to it; not in lists.

    """

    extension_name: str
    data: object = attrs.field(default=None, converter=_parsed)
    markdown_url: str | None = None
    schema_url: str | None = None
    href: str | None = None
    links: ExtensionLinks | None = None


@known_to_pydantic
@spelled(itwin_sheet_view="itwinSheetView", itwin_drawing_view="itwinDrawingView")
@attrs.frozen
class SavedViewData:
    """
    The view itself: one of three kinds, as the platform has it, but without its escapes.

    Attributes:
        itwin3d_view: a view of a 3D model.
        itwin_sheet_view: a view of a sheet.
        itwin_drawing_view: a view of a drawing.
        legacy_view: beside the others in a view of an older service, which cannot be changed.

    """

    itwin3d_view: Mapping[str, object] | None = attrs.field(default=None, converter=unescaped)
    itwin_sheet_view: Mapping[str, object] | None = attrs.field(default=None, converter=unescaped)
    itwin_drawing_view: Mapping[str, object] | None = attrs.field(default=None, converter=unescaped)
    legacy_view: Mapping[str, object] | None = attrs.field(default=None, converter=unescaped)


@model
@spelled(imodel="imodel")
class SavedViewLinks(TagLinks):
    """
    Addresses of what belongs to a saved view; the platform may leave out any of them.

    Attributes:
        group: its group.
        image: its picture.
        thumbnail: a small picture.

    """

    group: Link | None = None
    image: Link | None = None
    thumbnail: Link | None = None


@model
class SavedViewSummary:
    """
    A saved view as lists give it.

    Attributes:
        id: opaque id.
        display_name: name to show.
        shared: whether others see it.
        creation_time: when it was created; absent in older answers.
        last_modified: when it was last changed; absent in older answers.
        tags: its tags, without links.
        extensions: its extensions; in summaries names and addresses only.
        links: addresses of what belongs to it.

    """

    id: str
    display_name: str | None = None
    shared: bool | None = None
    creation_time: datetime | None = None
    last_modified: datetime | None = None
    tags: list[Tag] | None = None
    extensions: list[Extension] | None = None
    links: SavedViewLinks | None = None


@model
class SavedView(SavedViewSummary):
    """
    A saved view as a whole.

    Attributes:
        saved_view_data: the view itself.

    """

    saved_view_data: SavedViewData | None = None
