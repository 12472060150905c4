"""Arguments of an operation's function, read from texts by its type hints."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

import attrs
import msgspec

from itwin_async import UNSET, Converter, DecodeError
from itwin_async._arguments import shown
from itwin_async._json.converter import structure

_converter = Converter()
_converter.register_structure_hook_func(lambda hint: hint is object, lambda value, _: value)

_LISTS = frozenset({AbstractSet, Collection, Iterable, Sequence, frozenset, list, set, tuple})


@attrs.frozen
class Kind:
    """
    What an argument accepts.

    Attributes:
        text: for messages and help, such as ``"a whole number"``.
        read: makes the argument of a text, or raises ``ValueError``.
        plain: whether it may stand in a list with commas.

    """

    text: str
    read: Callable[[str], object]
    plain: bool = False


def kind_of(hint: object) -> Kind:
    """Say what a parameter with this type hint accepts."""
    members = _members(hint)
    lists = [member for member in members if get_origin(member) in _LISTS]
    kinds = [_kind(member) for member in lists[:1] or members if member is not NoneType]
    kinds.sort(key=lambda kind: kind is _STRING)  # which accepts everything
    text = " or ".join([kind.text for kind in kinds] + ["null"] * (NoneType in members))

    def read(value: str) -> object:
        if value == "null" and NoneType in members:
            return None
        reason = ""
        for kind in kinds:
            try:
                return kind.read(value)
            except ValueError as problem:
                reason = f" ({problem})" if str(problem) else ""
        raise ValueError(f"must be {text}; got {shown(value)}{reason}")

    return Kind(text, read)


def _members(hint: object) -> list[object]:
    if get_origin(hint) in {Union, UnionType}:
        return [member for part in get_args(hint) for member in _members(part)]
    return [] if hint is UUID or get_args(hint) == (UNSET,) else [hint]


def _kind(hint: object) -> Kind:
    origin, parts = get_origin(hint), get_args(hint)
    simple = _SIMPLE.get(hint) or _SIMPLE.get(origin)
    if simple is not None:
        return simple
    if origin is Literal:
        return _choice({str(value): value for value in parts})
    if origin in _LISTS:
        return _list(parts[0])
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _choice({str(member.value): member for member in hint})
    name = getattr(hint, "__name__", str(hint))
    return Kind(f"JSON of {name} or @FILE", lambda text: _structured(_json(text), hint))


def _choice(values: Mapping[str, object]) -> Kind:
    def read(text: str) -> object:
        if text not in values:
            raise ValueError
        return values[text]

    return Kind(f"one of {', '.join(values)}", read, plain=True)


def _list(element: object) -> Kind:
    hint = list[element]  # type: ignore[valid-type]
    if not all(_kind(member).plain for member in _members(element)):
        return Kind("a JSON list or @FILE", lambda text: _structured(_json(text), hint))
    one = kind_of(element)

    def read(text: str) -> object:
        if text.startswith(("[", "@")):
            return _structured(_json(text), hint)
        found: list[object] = []
        for part in text.split(","):
            try:
                found.append(one.read(part))
            except ValueError:
                raise ValueError(f"not {shown(part)}") from None
        return found

    return Kind(f"{one.text}, several separated by commas", read)


def _structured(value: object, hint: object) -> object:
    try:
        return structure(_converter, value, hint, "$")  # type: ignore[arg-type]
    except DecodeError as error:
        raise ValueError(str(error)) from None


def _json(text: str) -> object:
    data = _file(text[1:]) if text.startswith("@") else text.encode(errors="replace")
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ValueError(str(problem)) from None


def _json_object(text: str) -> object:
    value = _json(text)
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - as for every other text
    return value


def _file(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _bytes(text: str) -> bytes:
    if not text.startswith("@"):
        raise ValueError
    return _file(text[1:])


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError
    return number


_STRING = Kind("a string", str, plain=True)
_OBJECT = Kind("a JSON object or @FILE", _json_object)
_SIMPLE: dict[object, Kind] = {
    str: _STRING,
    bool: Kind("true or false", _choice({"true": True, "false": False}).read, plain=True),
    int: Kind("a whole number", _whole, plain=True),
    float: Kind("a finite number", _number, plain=True),
    bytes: Kind("@FILE", _bytes),
    object: Kind("JSON or @FILE", _json),
    Any: Kind("JSON or @FILE", _json),
    dict: _OBJECT,
    Mapping: _OBJECT,
    date: Kind("an ISO 8601 date", date.fromisoformat, plain=True),
    datetime: Kind("an ISO 8601 date-time", lambda text: _structured(text, datetime), plain=True),
}
