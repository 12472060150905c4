"""Collections of what belongs to something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs

from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection

R = TypeVar("R", bound="attrs.AttrsInstance")


def belongings(
    kind: type[R],
    parent: Collection[Any],
    *,
    find: Callable[[Call, str], R | None] | None = None,
    **facts: Any,  # noqa: ANN401 - fields of a collection
) -> Collection[R]:
    """
    Make a collection of the records that belong to the entities of another one.

    Args:
        kind: the class of the records.
        parent: the other collection; its id is a placeholder of the paths.
        find: finds a record where its own id is not all that a path may name.
        facts: all else that a collection has.

    """

    def found(call: Call, record_id: str) -> R | None:
        return call.world.belongings.of(kind, parent.id_of(call)).get(record_id)

    return Collection[R](
        parent=parent,
        find=find or found,
        put=lambda call, record: call.world.belongings.put(record, parent.id_of(call)),
        drop=lambda call, record: call.world.belongings.drop(
            kind,
            record.id,  # type: ignore[attr-defined] # all records have one
            parent.id_of(call),
        ),
        **facts,
    )


def belonging_to(kind: type[R], parent: Collection[Any]) -> Callable[[Call], Sequence[R]]:
    """Make the rows of a list: all records that belong to the parent of a path."""
    return lambda call: list(call.world.belongings.of(kind, parent.id_of(call)).values())
