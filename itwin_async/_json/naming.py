"""How the names of attributes are spelled in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wire_name(name: str) -> str:
    """
    Translate the name of a model's attribute to the platform's spelling.

    Args:
        name: snake_case name, such as ``itwin_id``.

    Returns:
        The member's name in JSON, such as ``iTwinId``.

    """
    if name == "links":
        return "_links"
    first, *rest = name.rstrip("_").split("_")
    first = {"itwin": "iTwin", "imodel": "iModel"}.get(first, first)
    return first + "".join(part.capitalize() for part in rest)


SPELLINGS: dict[type, dict[str, str]] = {}


def spelled(**names: str) -> Callable[[type[T]], type[T]]:
    """
    Mark a model whose members the platform spells in more than one case: read any, write these.

    Args:
        names: attribute names and the spelling to write; the others follow ``wire_name``.

    Returns:
        A class decorator.

    """

    def mark(cls: type[T]) -> type[T]:
        SPELLINGS[cls] = names
        return cls

    return mark
