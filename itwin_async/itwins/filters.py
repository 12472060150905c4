"""Which iTwins a list holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, TypedDict, get_args

from itwin_async._arguments import flag, invalid, one_of, text
from itwin_async.errors import ArgumentError
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

    """

    sub_class: SubClass | Iterable[SubClass] | None
    status: Status | None
    type: str | None
    include_inactive: bool | None


class ListOptions(ITwinFilters, NumberedPaging, total=False):
    """Filters and paging of a list of iTwins."""


def split(options: ListOptions) -> tuple[dict[str, str], NumberedPaging]:
    """
    Split the options of a list into its query and its paging.

    Raises:
        ArgumentError: a filter is not what the platform accepts.

    """
    paging = {name: value for name, value in options.items() if name not in _FILTERS}
    return _query(options), paging  # type: ignore[return-value]


_FILTERS = ITwinFilters.__annotations__.keys()


def _query(filters: ITwinFilters) -> dict[str, str]:
    query: dict[str, str] = {}
    sub_class, status = filters.get("sub_class"), filters.get("status")
    type_, include_inactive = filters.get("type"), filters.get("include_inactive")
    if sub_class is not None:
        names = {one_of("sub_class", value, get_args(SubClass)) for value in _several(sub_class)}
        # Sorted, since a set comes in another order in the process that takes the cursor up.
        query["subClass"] = ",".join(sorted(names))
    if status is not None:
        if include_inactive is not None:
            raise ArgumentError(
                "status and include_inactive are mutually exclusive", argument="include_inactive"
            )
        query["status"] = one_of("status", status, get_args(Status))
    if type_ is not None:
        query["type"] = text("type", type_)
    if include_inactive is not None:
        query["includeInactive"] = "true" if flag("include_inactive", include_inactive) else "false"
    return query


def _several(sub_class: object) -> tuple[object, ...]:
    if isinstance(sub_class, str):
        return (sub_class,)
    several = tuple(sub_class) if isinstance(sub_class, Iterable) else ()
    if not several:
        raise invalid("sub_class", sub_class, "one sub-class or several")
    return several
