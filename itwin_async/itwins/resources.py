"""
Resources of repositories, and how to draw them; technology preview of the platform.

Only some classes of repositories have resources. The platform may answer with a redirect to another
host; that is an ``ApiError``, since the token stays with the session's host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

import attrs

from itwin_async._arguments import text
from itwin_async._http.urls import new_id
from itwin_async._json.model import model
from itwin_async._paging.links import follow
from itwin_async.errors import ArgumentError, PaginationError
from itwin_async.itwins.api import api
from itwin_async.itwins.repositories import Authentication, Capabilities
from itwin_async.models import Id
from itwin_async.paging import DetailPager, Pager, Paging
from itwin_async.session import Session, internals_of


@model
class ResourceSummary:
    """
    A resource as lists give it.

    Attributes:
        id: id, not always a GUID.
        class_: class of its repository; open set.
        sub_class: sub-class of its repository; open set.
        display_name: name to show.
        type: type of its graphics, such as ``"3DTILES"``; open set.
        capabilities: what can be asked of it.

    """

    id: str
    class_: str | None = None
    sub_class: str | None = None
    display_name: str | None = None
    type: str | None = None
    capabilities: Capabilities | None = None


@model
class Resource(ResourceSummary):
    """
    A resource as a whole.

    Attributes:
        properties: what its repository tells of it.

    """

    properties: Mapping[str, object] | None = None


@model
class GraphicsProvider:
    """
    What draws an imagery.

    Attributes:
        name: such as ``"UrlTemplateImageryProvider"``; open set.
        options: its options, as the platform has them.

    """

    name: str | None = None
    options: Mapping[str, object] | None = None


@model
class Graphics:
    """
    How a resource can be drawn.

    Attributes:
        type: such as ``"3DTILES"``, ``"IMAGERY"`` or ``"TERRAIN"``; open set.
        uri: address of the data; it may hold a signature that expires.
        authentication: how the address is to be asked.
        provider: what draws it.

    """

    type: str | None = None
    uri: str | None = attrs.field(default=None, repr=False)
    authentication: Authentication | None = None
    provider: GraphicsProvider | None = None


_ALL = "/{itwin_id}/repositories/{repository_id}/resources"
_ONE = f"{_ALL}/{{resource_id}}"
_GLOBAL = "/repositories/{repository_id}/resources"
_GLOBAL_ONE = f"{_GLOBAL}/{{resource_id}}"

LIST = api.detail_list(
    "list_resources",
    f"GET {_ALL}",
    "Get Repository Resources",
    ResourceSummary,
    Resource,
    key="resources",
    paging="top",
)
CREATE = api.entity(
    "create_resource", f"POST {_ALL}", "Create Repository Resource", Resource, key="resource"
)
GET = api.entity(
    "get_resource", f"GET {_ONE}", "Get Repository Resource", Resource, key="resource", full=True
)
DELETE = api.nothing("delete_resource", f"DELETE {_ONE}", "Delete Repository Resource")
LIST_GRAPHICS = api.list(
    "list_graphics",
    f"GET {_ONE}/graphics",
    "Get Resource Graphics",
    Graphics,
    key="graphics",
    paging="none",
)
LIST_GLOBAL = api.detail_list(
    "list_global_resources",
    f"GET {_GLOBAL}",
    "Get Global Repository Resources",
    ResourceSummary,
    Resource,
    key="resources",
    paging="top",
)
GET_GLOBAL = api.entity(
    "get_global_resource",
    f"GET {_GLOBAL_ONE}",
    "Get Global Repository Resource",
    Resource,
    key="resource",
    full=True,
)
LIST_GLOBAL_GRAPHICS = api.list(
    "list_global_graphics",
    f"GET {_GLOBAL_ONE}/graphics",
    "Get Global Resource Graphics",
    Graphics,
    key="graphics",
    paging="none",
)


def list_resources(
    session: Session,
    itwin_id: Id,
    repository_id: Id,
    *,
    search: str | None = None,
    **paging: Unpack[Paging],
) -> DetailPager[ResourceSummary, Resource]:
    """List the resources of a repository, all of them or those with a text in their name."""
    query = _search(search)
    return LIST(session, query, paging, itwin_id=itwin_id, repository_id=repository_id)


async def create_resource(
    session: Session, itwin_id: Id, repository_id: Id, resource_id: Id, display_name: str
) -> Resource:
    """Add a resource to a repository, under an id of the caller's choice."""
    body = {
        "id": new_id("resource_id", resource_id),
        "displayName": text("display_name", display_name),
    }
    return await CREATE(session, itwin_id=itwin_id, repository_id=repository_id, json=body)


async def get_resource(
    session: Session, itwin_id: Id, repository_id: Id, resource_id: Id
) -> Resource:
    """Get a resource."""
    return await GET(
        session, itwin_id=itwin_id, repository_id=repository_id, resource_id=resource_id
    )


async def delete_resource(
    session: Session, itwin_id: Id, repository_id: Id, resource_id: Id
) -> None:
    """Delete a resource."""
    await DELETE(session, itwin_id=itwin_id, repository_id=repository_id, resource_id=resource_id)


def list_graphics(
    session: Session,
    itwin_id: Id,
    repository_id: Id,
    resource_id: Id,
    *,
    cursor: str | None = None,
) -> Pager[Graphics]:
    """List how a resource can be drawn; empty too where repository or resource is unknown."""
    return LIST_GRAPHICS(
        session,
        {},
        {"cursor": cursor},
        itwin_id=itwin_id,
        repository_id=repository_id,
        resource_id=resource_id,
    )


def list_global_resources(
    session: Session, repository_id: Id, *, search: str | None = None, **paging: Unpack[Paging]
) -> DetailPager[ResourceSummary, Resource]:
    """List the resources of a repository that is there for every iTwin."""
    return LIST_GLOBAL(session, _search(search), paging, repository_id=repository_id)


async def get_global_resource(session: Session, repository_id: Id, resource_id: Id) -> Resource:
    """Get a resource of a repository that is there for every iTwin."""
    return await GET_GLOBAL(session, repository_id=repository_id, resource_id=resource_id)


def list_global_graphics(
    session: Session, repository_id: Id, resource_id: Id, *, cursor: str | None = None
) -> Pager[Graphics]:
    """List how a resource of a global repository can be drawn."""
    return LIST_GLOBAL_GRAPHICS(
        session, {}, {"cursor": cursor}, repository_id=repository_id, resource_id=resource_id
    )


def list_resources_at(
    session: Session, uri: str, *, search: str | None = None, **paging: Unpack[Paging]
) -> DetailPager[ResourceSummary, Resource]:
    """
    List the resources at the address that ``Repository.capabilities.resources`` gives.

    The address is followed as it is, but only at the session's host.
    """
    return LIST(session, _search(search), paging, at=_at(session, uri))


def list_graphics_at(session: Session, uri: str, *, cursor: str | None = None) -> Pager[Graphics]:
    """
    List how to draw what has this address in ``capabilities.graphics``.

    The address is followed as it is, but only at the session's host.
    """
    return LIST_GRAPHICS(session, {}, {"cursor": cursor}, at=_at(session, uri))


def _search(search: str | None) -> dict[str, str]:
    return {} if search is None else {"$search": text("search", search)}


def _at(session: Session, uri: str) -> str:
    internals = internals_of(session)
    try:
        base, rewrite = internals.client.base, internals.rewrite_links
        return follow(base, "/", text("uri", uri), rewrite=rewrite)
    except PaginationError as problem:
        reason = str(problem)
    raise ArgumentError(f"uri cannot be followed: {reason}", argument="uri")
