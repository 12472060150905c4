"""Who ever connected to an iModel, and what the caller may do with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias, Unpack, get_args

from itwin_async._json.model import model
from itwin_async.imodels.api import api
from itwin_async.models import Id, Link
from itwin_async.operations import orders, query
from itwin_async.paging import DetailPager, NumberedPaging
from itwin_async.session import Session

UserOrder: TypeAlias = Literal[
    "givenName", "givenName asc", "givenName desc", "surname", "surname asc", "surname desc"
]


@model
class UserLinks:
    """Addresses of what belongs to a user."""

    self_: Link | None = None


@model
class UserApplication:
    """
    An application in which a user works on an iModel.

    Attributes:
        id: id of the application.
        name: name of the application.
        owns_locks: whether the user holds locks through it.
        owns_exclusive_root_element_lock: whether one of them locks the whole iModel.

    """

    id: str | None = None
    name: str | None = None
    owns_locks: bool | None = None
    owns_exclusive_root_element_lock: bool | None = None


@model
class UserStatistics:
    """
    What a user has done in an iModel.

    Attributes:
        pushed_changesets_count: changesets that the user pushed.
        last_changeset_push_date: when the last of them was pushed.
        created_versions_count: named versions that the user made.
        briefcases_count: briefcases that the user holds.
        applications: what the user works with.

    """

    pushed_changesets_count: int | None = None
    last_changeset_push_date: datetime | None = None
    created_versions_count: int | None = None
    briefcases_count: int | None = None
    applications: list[UserApplication] | None = None


@model
class UserSummary:
    """
    A user of an iModel as lists give it.

    Attributes:
        id: id of the user.
        display_name: name to show, an e-mail address.
        links: addresses of what belongs to the user.

    """

    id: str
    display_name: str | None = None
    links: UserLinks | None = None


@model
class User(UserSummary):
    """
    A user of an iModel.

    Attributes:
        given_name: first name.
        surname: last name.
        email: e-mail address.
        statistics: what the user has done in the iModel.

    """

    given_name: str | None = None
    surname: str | None = None
    email: str | None = None
    statistics: UserStatistics | None = None


LIST = api.detail_list(
    "list_users",
    "GET /{imodel_id}/users",
    "Get iModel Users",
    UserSummary,
    User,
    key="users",
    paging="both",
)
GET = api.entity(
    "get_user", "GET /{imodel_id}/users/{user_id}", "Get iModel User", User, key="user"
)
PERMISSIONS = api.entity(
    "get_permissions",
    "GET /{imodel_id}/permissions",
    "Get iModel Permissions",
    list[str],
    key="permissions",
)


def list_users(
    session: Session,
    imodel_id: Id,
    *,
    order_by: UserOrder | Sequence[UserOrder] | None = None,
    **paging: Unpack[NumberedPaging],
) -> DetailPager[UserSummary, User]:
    """List everybody who ever connected to an iModel; not its members."""
    chosen = query({"$orderBy": orders(*get_args(UserOrder))}, order_by=order_by)
    return LIST(session, chosen, paging, imodel_id=imodel_id)


async def get_user(session: Session, imodel_id: Id, user_id: Id) -> User:
    """Get a user of an iModel."""
    return await GET(session, imodel_id=imodel_id, user_id=user_id)


async def get_permissions(session: Session, imodel_id: Id) -> list[str]:
    """Get the caller's permissions on an iModel, such as ``"imodels_read"``; open set."""
    return await PERMISSIONS(session, imodel_id=imodel_id)
