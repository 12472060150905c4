"""What all operations of the iTwins API have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

from itwin_async._arguments import Prefer, one_of, prefer_header, text
from itwin_async.errors import ArgumentError
from itwin_async.itwins.models import ITwin, ITwinSummary
from itwin_async.listing import Listing

ACCEPT = "application/vnd.bentley.itwin-platform.v1+json"

SubClass: TypeAlias = Literal["Account", "Asset", "Project", "Portfolio", "Program", "WorkPackage"]
Status: TypeAlias = Literal["Active", "Inactive", "Trial"]


def personal_list(
    name: str,
    *,
    sub_class: SubClass | Iterable[SubClass] | None,
    status: Status | None,
    type_: str | None,
    include_inactive: bool | None,
    prefer: Prefer,
) -> Listing[ITwinSummary]:
    """
    Describe a list of the calling user's iTwins.

    Args:
        name: ``"favorites"`` or ``"recents"``.
        sub_class: one sub-class or several.
        status: only iTwins of this status.
        type_: only iTwins of this type.
        include_inactive: whether inactive iTwins are listed too.
        prefer: level of detail.

    Returns:
        The list.

    Raises:
        ArgumentError: an argument is not what the platform accepts.

    """
    header = prefer_header(prefer)
    item: type[ITwinSummary] = ITwin if prefer == "representation" else ITwinSummary
    return Listing(
        operation=f"itwins.list_{name}",
        path=f"/itwins/{name}",
        query=tuple(_filters(sub_class, status, type_, include_inactive)),
        key="iTwins",
        item=item,
        accept=ACCEPT,
        prefer=header,
        by_skip=True,
    )


def _filters(
    sub_class: SubClass | Iterable[SubClass] | None,
    status: Status | None,
    type_: object,
    include_inactive: object,
) -> Iterable[tuple[str, str]]:
    if sub_class is not None:
        several = (sub_class,) if isinstance(sub_class, str) else _all(sub_class)
        names = {one_of("sub_class", value, get_args(SubClass)) for value in several}
        # Sorted, since a set comes in another order in the process that takes the cursor up.
        yield "subClass", ",".join(sorted(names))
    if status is not None:
        if include_inactive is not None:
            raise ArgumentError(
                "include_inactive", include_inactive, "left out where status is given"
            )
        yield "status", one_of("status", status, get_args(Status))
    if type_ is not None:
        yield "type", text("type", type_)
    if include_inactive is not None:
        if not isinstance(include_inactive, bool):
            raise ArgumentError("include_inactive", include_inactive, "True or False")
        yield "includeInactive", "true" if include_inactive else "false"


def _all(sub_class: object) -> tuple[object, ...]:
    several = tuple(sub_class) if isinstance(sub_class, Iterable) else ()
    if not several:
        raise ArgumentError("sub_class", sub_class, "one sub-class or several")
    return several
