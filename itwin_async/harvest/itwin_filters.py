"""Which iTwins a harvest asks the platform for, where they are not given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict, cast, get_args

import attrs

from itwin_async._arguments import flag, one_of, several, text
from itwin_async._http import urls
from itwin_async.errors import ArgumentError
from itwin_async.itwins import ITwinFilters, Status, SubClass
from itwin_async.models import Id


class Filters(TypedDict, total=False):
    """
    Filters of iTwins, as those of the lists of iTwins; one that is ``None`` does not count.

    Attributes:
        include_inactive: whether inactive iTwins are asked for too; by default they are not.
        status: only iTwins of this status or of these; not with ``include_inactive``.
        sub_class: only iTwins of this sub-class or of these.
        type: only iTwins of this type.
        display_name: only iTwins with exactly this name.
        number: only the iTwin with exactly this number.
        parent_id: only iTwins with this parent.
        itwin_account_id: only iTwins of this account.
        search: only iTwins with this text in their number or name.

    """

    include_inactive: bool | None
    status: Status | Iterable[Status] | None
    sub_class: SubClass | Iterable[SubClass] | None
    type: str | None
    display_name: str | None
    number: str | None
    parent_id: Id | None
    itwin_account_id: Id | None
    search: str | None


@attrs.frozen
class Chosen:
    """
    Checked filters.

    Attributes:
        statuses: a list is asked for each; the platform takes one at a time.
        others: the other filters.

    """

    statuses: tuple[Status, ...] = ()
    others: Mapping[str, object] = attrs.Factory(dict)

    def __bool__(self) -> bool:
        return bool(self.statuses or self.others)

    def of(self, key: str) -> ITwinFilters:
        """Give the filters of a list by its key, which is the status where several are wanted."""
        status = key or (self.statuses[0] if self.statuses else None)
        return cast("ITwinFilters", {**self.others, **({"status": status} if status else {})})

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the lists."""
        return self.statuses if len(self.statuses) > 1 else ("",)

    def __str__(self) -> str:
        words = {**self.others, **({"status": self.statuses} if self.statuses else {})}
        return ", ".join(
            f"{name} {' or '.join(value) if isinstance(value, tuple) else value}"
            for name, value in sorted(words.items())
        )


def chosen(filters: Filters) -> Chosen:
    """
    Check filters.

    Raises:
        ArgumentError: one is not what the platform accepts, or two exclude each other.

    """
    given = {name: value for name, value in filters.items() if value is not None}
    unknown = given.keys() - Filters.__annotations__.keys()
    if unknown:
        name = min(unknown)
        raise ArgumentError(
            f"there is no filter {name!r}; known are {', '.join(Filters.__annotations__)}",
            argument=name,
        )
    if "status" in given and "include_inactive" in given:
        raise ArgumentError(
            "status and include_inactive are mutually exclusive", argument="include_inactive"
        )
    statuses = _several("status", given.pop("status"), Status) if "status" in given else ()
    others = {name: _checked(name, value) for name, value in sorted(given.items())}
    if others.get("include_inactive") is False:
        del others["include_inactive"]
    return Chosen(cast("tuple[Status, ...]", statuses), others)


def _checked(name: str, value: object) -> object:
    if name == "include_inactive":
        return flag(name, value)
    if name == "sub_class":
        return _several(name, value, SubClass)
    if name in {"parent_id", "itwin_account_id"}:
        return urls.guid(name, value)
    return text(name, value)


def _several(name: str, value: object, allowed: object) -> tuple[str, ...]:
    found = {one_of(name, one, get_args(allowed)) for one in several(name, value)}
    return tuple(sorted(found))
