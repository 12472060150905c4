"""iTwins, and the accounts that own them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, Unpack, get_args

from itwin_async._arguments import between, invalid, one_of, several, text, whole
from itwin_async._http.urls import guid
from itwin_async.errors import ArgumentError
from itwin_async.itwins.api import api
from itwin_async.itwins.filters import ListOptions, Status, SubClass, split
from itwin_async.itwins.models import ITwin, ITwinSummary
from itwin_async.models import UNSET, Id, Unset
from itwin_async.operations import Checks, changes, choice, new, nullable
from itwin_async.paging import DetailPager
from itwin_async.session import Session

ITwinClass: TypeAlias = Literal["Thing", "Endeavor", "Account"]
DataCenterLocation: TypeAlias = Literal[
    "East US",
    "North Europe",
    "West Europe",
    "Southeast Asia",
    "Australia East",
    "UK South",
    "Canada Central",
    "Central India",
    "Japan East",
]
QueryScope: TypeAlias = Literal["memberOfItwin", "all", "OrganizationAdmin"]

LIST = api.detail_list(
    "list_itwins", "GET /", "Get My iTwins", ITwinSummary, ITwin, key="iTwins", paging="skip"
)
CREATE = api.entity("create_itwin", "POST /", "Create iTwin", ITwin, key="iTwin")
GET = api.entity("get_itwin", "GET /{itwin_id}", "Get iTwin", ITwin, key="iTwin", full=True)
UPDATE = api.entity("update_itwin", "PATCH /{itwin_id}", "Update iTwin", ITwin, key="iTwin")
DELETE = api.nothing("delete_itwin", "DELETE /{itwin_id}", "Delete iTwin")
GET_PRIMARY_ACCOUNT = api.entity(
    "get_primary_account",
    "GET /myprimaryaccount",
    "Get My Primary Account",
    ITwinSummary,
    key="iTwin",
)
GET_ACCOUNT = api.entity(
    "get_account", "GET /{itwin_id}/account", "Get iTwin Account", ITwin, key="iTwin", full=True
)

_SUB_CLASSES = {
    "Thing": ("Asset", "Portfolio"),
    "Endeavor": ("Project", "Program", "WorkPackage"),
    "Account": ("Account",),
}
_NOT_WITH_FILTER = ("status", "type", "display_name", "number", "parent_id", "itwin_account_id")
_MEMBERS: Checks = {
    "class_": choice(*get_args(ITwinClass)),
    "sub_class": choice(*get_args(SubClass)),
    "display_name": text,
    "number": text,
    "type": nullable(text),
    "geographic_location": nullable(text),
    "latitude": nullable(lambda name, value: between(name, value, -90, 90)),
    "longitude": nullable(lambda name, value: between(name, value, -180, 180)),
    "iana_time_zone": nullable(text),
    "data_center_location": choice(*get_args(DataCenterLocation)),
    "status": choice(*get_args(Status)),
    "parent_id": nullable(guid),
}


def list_itwins(
    session: Session,
    *,
    filter: str | None = None,  # noqa: A002 - the platform's word
    order_by: str | Iterable[str] | None = None,
    select: str | Iterable[str] | None = None,
    query_scope: QueryScope | None = None,
    max_return: int | None = None,
    **options: Unpack[ListOptions],
) -> DetailPager[ITwinSummary, ITwin]:
    """
    List the iTwins that the calling user is a member of.

    Args:
        session: whose iTwins.
        filter: OData expression, such as ``"contains(number,'12')"``; not together with other
            filters than ``sub_class``, ``search`` and ``include_inactive``.
        order_by: members to order by, such as ``"displayName desc"``; one or several.
        select: the platform's names of the members wanted, ``id`` always among them; the others are
            ``None``. Members that a summary does not have are seen by ``.full()`` only.
        query_scope: wider than one's own memberships; for organization administrators.
        max_return: how many iTwins can be listed in all, 1 to 10000; 1000 by default. What is
            beyond is left out without a word.
        options: filters and paging.

    """
    query, paging = split(options)
    if filter is not None:
        for name in _NOT_WITH_FILTER:
            if options.get(name) is not None:
                raise ArgumentError(f"filter and {name} are mutually exclusive", argument=name)
        query["$filter"] = text("filter", filter)
    if order_by is not None:
        query["$orderby"] = ",".join(text("order_by", one) for one in several("order_by", order_by))
    if select is not None:
        query["$select"] = ",".join(_with_id(member_names("select", select)))
    headers: dict[str, str] = {}
    if query_scope is not None:
        scope = one_of("query_scope", query_scope, get_args(QueryScope))
        headers["X-iTwin-Query-Scope"] = scope
    if max_return is not None:
        headers["X-Max-Return"] = str(whole("max_return", max_return, 1, 10_000))
    return LIST(session, query, paging, headers=headers)


async def create_itwin(
    session: Session,
    display_name: str,
    *,
    class_: ITwinClass,
    sub_class: SubClass,
    number: str | None = None,
    type: str | None = None,  # noqa: A002 - the platform's word
    geographic_location: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
    iana_time_zone: str | None = None,
    data_center_location: DataCenterLocation | None = None,
    status: Status | None = None,
    parent_id: Id | None = None,
) -> ITwin:
    """
    Create an iTwin; the calling user becomes its owner.

    A ``Thing`` is an ``Asset`` or a ``Portfolio``, an ``Endeavor`` a ``Project``, a ``Program`` or
    a ``WorkPackage``. ``number`` is unique in the organization, by default the new id.
    """
    body = new(
        _MEMBERS,
        {"class_": class_, "sub_class": sub_class, "display_name": display_name},
        number=number,
        type=type,
        geographic_location=geographic_location,
        latitude=latitude,
        longitude=longitude,
        iana_time_zone=iana_time_zone,
        data_center_location=data_center_location,
        status=status,
        parent_id=parent_id,
    )
    if sub_class not in _SUB_CLASSES[class_]:
        allowed = ", ".join(_SUB_CLASSES[class_])
        raise invalid("sub_class", sub_class, f"one that a {class_} has: {allowed}")
    return await CREATE(session, json=body)


async def get_itwin(session: Session, itwin_id: Id) -> ITwin:
    """Get an iTwin."""
    return await GET(session, itwin_id=itwin_id)


async def update_itwin(
    session: Session,
    itwin_id: Id,
    *,
    class_: ITwinClass | Unset = UNSET,
    sub_class: SubClass | Unset = UNSET,
    display_name: str | Unset = UNSET,
    number: str | Unset = UNSET,
    type: str | Unset | None = UNSET,  # noqa: A002 - the platform's word
    geographic_location: str | Unset | None = UNSET,
    latitude: float | Unset | None = UNSET,
    longitude: float | Unset | None = UNSET,
    iana_time_zone: str | Unset | None = UNSET,
    data_center_location: DataCenterLocation | Unset = UNSET,
    status: Status | Unset = UNSET,
    parent_id: Id | Unset | None = UNSET,
) -> ITwin:
    """Change members of an iTwin, at least one."""
    body = changes(
        _MEMBERS,
        class_=class_,
        sub_class=sub_class,
        display_name=display_name,
        number=number,
        type=type,
        geographic_location=geographic_location,
        latitude=latitude,
        longitude=longitude,
        iana_time_zone=iana_time_zone,
        data_center_location=data_center_location,
        status=status,
        parent_id=parent_id,
    )
    return await UPDATE(session, itwin_id=itwin_id, json=body)


async def delete_itwin(session: Session, itwin_id: Id) -> None:
    """Delete an iTwin; only organization administrators may."""
    await DELETE(session, itwin_id=itwin_id)


async def get_primary_account(session: Session) -> ITwinSummary:
    """Get the calling user's own account; the platform makes one for who has no organization."""
    return await GET_PRIMARY_ACCOUNT(session)


async def get_account(session: Session, itwin_id: Id) -> ITwin:
    """Get the account that owns an iTwin."""
    return await GET_ACCOUNT(session, itwin_id=itwin_id)


def member_names(name: str, value: object) -> list[str]:
    """Check names of members: one text with commas, or several texts."""
    names = [text(name, one) for one in several(name, value)]
    return [part.strip() for part in ",".join(names).split(",")]


def _with_id(names: list[str]) -> list[str]:
    # Without it there is no telling what an entry is.
    return names if "id" in names else ["id", *names]
