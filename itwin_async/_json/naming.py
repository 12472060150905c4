"""How the names of attributes are spelled in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

T = TypeVar("T")


def wire_name(name: str) -> str:
    """Translate the name of a model's attribute to the platform's spelling."""
    if name == "links":
        return "_links"
    first, *rest = name.rstrip("_").split("_")
    first = {"itwin": "iTwin", "imodel": "iModel"}.get(first, first)
    return first + "".join(part.capitalize() for part in rest)


SPELLINGS: dict[type, dict[str, str]] = {}


def spelled(**names: str) -> Callable[[type[T]], type[T]]:
    """
    Mark a class whose members the platform spells in more than one case: read any, write these.
    """

    def mark(cls: type[T]) -> type[T]:
        SPELLINGS[cls] = names
        return cls

    return mark


def wire_names(cls: Any) -> dict[str, str]:  # noqa: ANN401 - any attrs class
    """Give the platform's name of each attribute."""
    spelling = SPELLINGS.get(cls, {})
    return {f.name: spelling.get(f.name, wire_name(f.name)) for f in attrs.fields(cls)}
