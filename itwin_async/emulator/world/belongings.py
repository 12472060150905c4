"""What belongs to an iTwin or iModel, or to something in it, by parent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast

import attrs
import msgspec

from itwin_async.emulator.json_types import JsonObject

R = TypeVar("R", bound="attrs.AttrsInstance")

_KINDS: dict[str, type[attrs.AttrsInstance]] = {}
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def belonging(kind: type[R]) -> type[R]:
    """Let records of a frozen attrs class with an ``id`` belong to others, in saved worlds too."""
    _KINDS[kind.__name__.removesuffix("Record")] = kind
    return kind


class Belongings:
    """
    Records by kind, id of the parent and own id, in the order in which they were put.

    What belongs to the whole world has the parent ``""``.
    """

    def __init__(self) -> None:
        self._rows: dict[type[Any], dict[str, dict[str, Any]]] = {}

    def of(self, kind: type[R], parent_id: str = "") -> Mapping[str, R]:
        """Return the records of a kind that belong to a parent, by id."""
        return self._rows.get(kind, {}).get(parent_id, _NOTHING)

    def all(self, kind: type[R]) -> Iterator[tuple[str, R]]:
        """Yield the records of a kind with the ids of their parents."""
        for parent_id, rows in self._rows.get(kind, {}).items():
            for record in rows.values():
                yield parent_id, record

    def put(self, record: attrs.AttrsInstance, parent_id: str = "") -> None:
        """Put a record, or a changed one where it was."""
        rows = self._rows.setdefault(type(record), {}).setdefault(parent_id, {})
        rows[cast("Any", record).id] = record

    def drop(self, kind: type[attrs.AttrsInstance], record_id: str, parent_id: str = "") -> None:
        """Remove a record, and all that belongs to it."""
        self._rows.get(kind, {}).get(parent_id, {}).pop(record_id, None)
        self.drop_all(record_id)

    def drop_all(self, parent_id: str) -> None:
        """Remove what belongs to a parent, and what belongs to that."""
        for rows in list(self._rows.values()):
            for record_id in rows.pop(parent_id, ()):
                self.drop_all(record_id)

    def copy(self) -> Belongings:
        """Return an independent copy."""
        other = Belongings()
        other._rows = {
            kind: {parent_id: dict(rows) for parent_id, rows in parents.items()}
            for kind, parents in self._rows.items()
        }
        return other

    def export(self) -> JsonObject:
        """Return all as JSON: by kind and parent, lists of records."""
        return {
            name: {
                parent_id: [msgspec.to_builtins(record) for record in rows.values()]
                for parent_id, rows in self._rows[kind].items()
                if rows
            }
            for name, kind in _KINDS.items()
            if kind in self._rows
        }

    def load(self, content: Mapping[str, Mapping[str, list[object]]]) -> None:
        """
        Put what ``export`` gave.

        Raises:
            ValueError: a value is wrong; the message says where.

        """
        for name, parents in content.items():
            if name not in _KINDS:
                raise ValueError(f"belongings: {name!r} is none of {', '.join(sorted(_KINDS))}")
            for parent_id, rows in parents.items():
                for index, row in enumerate(rows):
                    try:
                        record = msgspec.convert(row, _KINDS[name])
                    except msgspec.ValidationError as error:
                        where = f"belongings.{name}.{parent_id}[{index}]"
                        raise ValueError(f"{where}: {error}") from None
                    self.put(record, parent_id)
