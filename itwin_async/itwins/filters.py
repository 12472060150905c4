"""Which iTwins a list holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, TypedDict, get_args

from itwin_async._arguments import flag, one_of, several, text
from itwin_async._http.urls import guid
from itwin_async.errors import ArgumentError
from itwin_async.models import Id
from itwin_async.operations import Checks, choice, query
from itwin_async.paging import NumberedPaging

SubClass: TypeAlias = Literal["Account", "Asset", "Project", "Portfolio", "Program", "WorkPackage"]
Status: TypeAlias = Literal["Active", "Inactive", "Trial"]


class ITwinFilters(TypedDict, total=False):
    """
    Filters of a list of iTwins; one that is ``None`` does not count.

    Attributes:
        sub_class: one sub-class or several; the platform answers faster with it.
        status: only iTwins of this status; not together with ``include_inactive``.
        type: only iTwins of this type.
        include_inactive: whether inactive iTwins are listed too; by default they are not.
        display_name: only iTwins with exactly this name.
        number: only the iTwin with exactly this number.
        parent_id: only iTwins with this parent.
        itwin_account_id: only iTwins of this account.
        search: only iTwins with this text in their number or name.

    Of favorites and recents only the first four are documented; the platform's own client sends the
    others too.
    """

    sub_class: SubClass | Iterable[SubClass] | None
    status: Status | None
    type: str | None
    include_inactive: bool | None
    display_name: str | None
    number: str | None
    parent_id: Id | None
    itwin_account_id: Id | None
    search: str | None


class ListOptions(ITwinFilters, NumberedPaging, total=False):
    """Filters and paging of a list of iTwins."""


def split(options: ListOptions) -> tuple[dict[str, str], NumberedPaging]:
    """
    Split the options of a list into its query and its paging.

    Raises:
        ArgumentError: a filter is not what the platform accepts.

    """
    filters = ITwinFilters.__annotations__
    paging = {name: value for name, value in options.items() if name not in filters}
    return _query(options), paging  # type: ignore[return-value]


def sub_classes(name: str, value: object) -> str:
    """Check one sub-class or several, and write them with commas."""
    names = {one_of(name, one, get_args(SubClass)) for one in several(name, value)}
    # Sorted, since a set comes in another order in the process that takes a cursor up.
    return ",".join(sorted(names))


def _boolean(name: str, value: object) -> str:
    return "true" if flag(name, value) else "false"


_QUERY: Checks = {
    "sub_class": sub_classes,
    "status": choice(*get_args(Status)),
    "type": text,
    "include_inactive": _boolean,
    "display_name": text,
    "number": text,
    "parent_id": guid,
    "itwin_account_id": guid,
    "$search": text,
}


def _query(filters: ITwinFilters) -> dict[str, str]:
    # In one order, however they were given, since cursors hold them.
    given = {name: filters.get(name) for name in ITwinFilters.__annotations__}
    if given["status"] is not None and given["include_inactive"] is not None:
        raise ArgumentError(
            "status and include_inactive are mutually exclusive", argument="include_inactive"
        )
    return query(_QUERY, **given)
