"""The parameter `$orderBy` of the iModels API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.routes import Parameter

R = TypeVar("R")

_NAME = "$orderBy"


def order_by(*members: str) -> Parameter:
    """Return the parameter that orders a list by one or more members."""
    one = f"({'|'.join(members)})( (asc|ASC|desc|DESC))?"
    return Parameter(_NAME, {"type": "string", "pattern": f"^{one}(, ?{one})*$"})


def orders(call: Call) -> Iterator[tuple[str, bool]]:
    """Yield the members of a call's `$orderBy` and whether they descend, the least one first."""
    for part in reversed((call.text(_NAME) or "").split(",")):
        member, _, direction = part.strip().partition(" ")
        if member:
            yield member, direction.lower() == "desc"


def ordered(call: Call, rows: Sequence[R], keys: Mapping[str, Callable[[R], Any]]) -> Sequence[R]:
    """Return rows as `$orderBy` wants them; equal ones stay as they are."""
    for member, descends in orders(call):
        rows = sorted(rows, key=keys[member], reverse=descends)
    return rows
