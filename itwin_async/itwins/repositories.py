"""Repositories, which hold the data of an iTwin or are there for all of them."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from itwin_async._arguments import instance, text
from itwin_async._json.codec import to_dict
from itwin_async._json.model import model
from itwin_async.errors import ArgumentError
from itwin_async.itwins.api import api
from itwin_async.models import UNSET, Id, Unset
from itwin_async.operations import Checks, changes, new, nullable, query
from itwin_async.paging import Pager
from itwin_async.session import Session


@model
class Authentication:
    """
    How an address is to be asked; secrets, which the platform gives in clear.

    Attributes:
        type: ``"Header"`` or ``"QueryParameter"`` with key and value, ``"Basic"`` with user name
            and password; open set.
        key: name of the header or query parameter.
        value: its value.
        username: user name.
        password: password.

    """

    type: str | None = None
    key: str | None = None
    value: str | None = attrs.field(default=None, repr=False)
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)


@model
class Capability:
    """
    Something that can be asked for.

    Attributes:
        uri: its address, to be followed as it is.

    """

    uri: str | None = None


@model
class Capabilities:
    """
    What can be asked of a repository or resource.

    Attributes:
        resources: for ``list_resources_at``.
        graphics: for ``list_graphics_at``.

    """

    resources: Capability | None = None
    graphics: Capability | None = None


@model
class Repository:
    """
    A repository.

    Attributes:
        id: id, not always a GUID.
        class_: such as ``"iModels"`` or ``"GeographicInformationSystem"``; open set.
        sub_class: such as ``"WebMapService"``; open set.
        display_name: name to show; missing in older answers.
        uri: its address.
        authentication: how the address is to be asked.
        options: such as ``queryParameters`` or ``minimumLevel``, as the platform has them.
        capabilities: what can be asked of it.

    """

    id: str
    class_: str | None = None
    sub_class: str | None = None
    display_name: str | None = None
    uri: str | None = None
    authentication: Authentication | None = None
    options: Mapping[str, object] | None = None
    capabilities: Capabilities | None = None


_ALL = "/{itwin_id}/repositories"
_ONE = "/{itwin_id}/repositories/{repository_id}"

LIST = api.list(
    "list_repositories",
    f"GET {_ALL}",
    "Get Repositories",
    Repository,
    key="repositories",
    paging="none",
)
CREATE = api.entity(
    "create_repository", f"POST {_ALL}", "Create Repository", Repository, key="repository"
)
GET = api.entity("get_repository", f"GET {_ONE}", "Get Repository", Repository, key="repository")
UPDATE = api.entity(
    "update_repository", f"PATCH {_ONE}", "Update Repository", Repository, key="repository"
)
DELETE = api.nothing("delete_repository", f"DELETE {_ONE}", "Delete Repository")
LIST_GLOBAL = api.list(
    "list_global_repositories",
    "GET /repositories",
    "Get Global Repositories",
    Repository,
    key="repositories",
    paging="none",
)
GET_GLOBAL = api.entity(
    "get_global_repository",
    "GET /repositories/{repository_id}",
    "Get Global Repository",
    Repository,
    key="repository",
)


def _authentication(name: str, value: object) -> dict[str, object]:
    return to_dict(instance(name, value, Authentication, "an Authentication"))


def _options(name: str, value: object) -> Mapping[str, object]:
    return instance(name, value, Mapping, "a mapping")  # type: ignore[type-abstract]


_MEMBERS: Checks = {
    "class_": text,
    "sub_class": text,
    "display_name": text,
    "uri": text,
    "authentication": nullable(_authentication),
    "options": nullable(_options),
}


def list_repositories(
    session: Session,
    itwin_id: Id,
    *,
    class_: str | None = None,
    sub_class: str | None = None,
    cursor: str | None = None,
) -> Pager[Repository]:
    """List the repositories of an iTwin, all of them or those of one class or sub-class."""
    return LIST(session, _classes(class_, sub_class), {"cursor": cursor}, itwin_id=itwin_id)


async def create_repository(
    session: Session,
    itwin_id: Id,
    *,
    class_: str,
    uri: str,
    sub_class: str | None = None,
    display_name: str | None = None,
    authentication: Authentication | None = None,
    options: Mapping[str, object] | None = None,
) -> Repository:
    """
    Create a repository.

    ``sub_class`` is documented as optional, but the platform refuses some classes without it.
    """
    body = new(
        _MEMBERS,
        {"class_": class_, "uri": uri},
        sub_class=sub_class,
        display_name=display_name,
        authentication=authentication,
        options=options,
    )
    return await CREATE(session, itwin_id=itwin_id, json=body)


async def get_repository(session: Session, itwin_id: Id, repository_id: Id) -> Repository:
    """Get a repository; technology preview."""
    return await GET(session, itwin_id=itwin_id, repository_id=repository_id)


async def update_repository(
    session: Session,
    itwin_id: Id,
    repository_id: Id,
    *,
    display_name: str | Unset = UNSET,
    uri: str | Unset = UNSET,
    authentication: Authentication | Unset | None = UNSET,
    options: Mapping[str, object] | Unset | None = UNSET,
) -> Repository:
    """Change members of a repository, at least one; technology preview."""
    body = changes(
        _MEMBERS,
        display_name=display_name,
        uri=uri,
        authentication=authentication,
        options=options,
    )
    return await UPDATE(session, itwin_id=itwin_id, repository_id=repository_id, json=body)


async def delete_repository(session: Session, itwin_id: Id, repository_id: Id) -> None:
    """Delete a repository; those that the platform made by itself cannot be."""
    await DELETE(session, itwin_id=itwin_id, repository_id=repository_id)


def list_global_repositories(
    session: Session,
    *,
    class_: str | None = None,
    sub_class: str | None = None,
    cursor: str | None = None,
) -> Pager[Repository]:
    """List the repositories that are there for every iTwin; technology preview."""
    return LIST_GLOBAL(session, _classes(class_, sub_class), {"cursor": cursor})


async def get_global_repository(session: Session, repository_id: Id) -> Repository:
    """Get a repository that is there for every iTwin; technology preview."""
    return await GET_GLOBAL(session, repository_id=repository_id)


def _classes(class_: str | None, sub_class: str | None) -> dict[str, str]:
    if sub_class is not None and class_ is None:
        raise ArgumentError("sub_class needs class_", argument="sub_class")
    return query(_MEMBERS, class_=class_, sub_class=sub_class)
