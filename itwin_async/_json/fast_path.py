"""
The fast path: JSON straight into the slots of the models, by msgspec.

msgspec fills attrs classes by the names of their attributes and cannot rename them. So it is given
another class to fill: a subclass without slots of its own (the decoding class), on which each wire
name is an alias of the model's own slot descriptor. Afterwards each instance is set to the model
itself. Why that is right: CPython allows ``__class__`` to be set where both classes have the same
layout, which a subclass without slots has; the descriptors write the very slots of the model; and
nothing of the model is skipped, because only classes whose constructor does nothing but store its
arguments are taken (no converters, validators, factories, hooks or ``__init__`` of their own). All
others go through the converter, and a test holds both ways to the same results.
"""

from __future__ import annotations

import functools
import operator
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from itertools import chain, repeat
from operator import attrgetter
from types import MemberDescriptorType, NoneType, SimpleNamespace, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec

from itwin_async._json.model import AWARE, is_model
from itwin_async._json.naming import SPELLINGS, wire_name

_set_class = object.__dict__["__class__"].__set__
_run = deque[None](maxlen=0).extend  # draws an iterator to its end, in C

_SPECIAL = ("__attrs_post_init__", "__attrs_pre_init__", "__bool__", "__len__")
_SUBCLASSING = ("__init_subclass__", "__attrs_init_subclass__")
_LEAVES = (str, int, float, bool, datetime)

Rename = Callable[[str], str]
Restore = Callable[[Iterable[Any]], None]
Decode = Callable[[bytes], tuple[Any, Any]]
Check = Callable[[Any], bool]


class _NotPlain(Exception):  # noqa: N818 - never leaves this module
    """
    A class has something that only the converter understands.
    """


class FastDecoders:
    """The fast decoders of a converter, and the hooks of callers that rule them out."""

    def __init__(self) -> None:
        self.kept: dict[tuple[type, str, bool], Decode | None] = {}
        self.hooks: list[Check] = []

    def heed(self, hook: Check) -> None:
        """Take note of a hook for what a predicate accepts; what it touches is decoded slowly."""
        self.hooks.append(hook)
        self.kept.clear()

    def find(self, cls: type, key: str, *, many: bool) -> Decode | None:
        """Find the decoder of an envelope; ``None`` where it is the converter's."""
        slot = cls, key, many
        if slot not in self.kept:
            allowed = not self._is_touched(cls)
            self.kept[slot] = decoder(cls, key, wire_name, many=many) if allowed else None
        return self.kept[slot]

    def _is_touched(self, cls: type) -> bool:
        parts = reachable(cls)
        return not parts.isdisjoint(SPELLINGS) or any(
            _accepts(hook, part) for part in parts for hook in self.hooks
        )


def _accepts(hook: Check, part: Any) -> bool:
    try:
        return bool(hook(part))
    except Exception:  # noqa: BLE001 - cattrs too takes a predicate that raises for one that denies
        return False


def decoder(cls: type, key: str, rename: Rename, *, many: bool) -> Decode | None:
    """Make the fast decoder of an envelope."""
    try:
        decoded, restore = _decoding_class(cls, rename)
        content = list.__class_getitem__(decoded) if many else decoded
        envelope = msgspec.defstruct(
            "Envelope",
            [
                ("content", content, msgspec.field(name=key)),
                ("links", Any, msgspec.field(name="_links", default=None)),
            ],
        )
        decode = msgspec.json.Decoder(envelope).decode
    except (_NotPlain, NameError, TypeError):  # the latter where annotations are beyond msgspec
        return None

    def run(body: bytes) -> tuple[Any, Any]:
        result: Any = decode(body)
        found = result.content
        if restore is not None:
            restore(found if many else (found,))
        return found, result.links

    return run


def reachable(cls: Any) -> set[Any]:
    """List everything that takes part in structuring a class."""
    found: set[Any] = set()
    open_ends = [cls]
    while open_ends:
        part = open_ends.pop()
        if not isinstance(part, Hashable) or part in found:
            continue
        found.add(part)
        if isinstance(part, type) and attrs.has(part):
            open_ends.extend(_hints(part).values())
        open_ends.extend(argument for argument in get_args(part))
    return found


def _hints(cls: type) -> dict[str, Any]:
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError:  # a local class; its own attributes may have been resolved by the caller
        hints = {}
    return {field.name: hints.get(field.name, field.type) for field in attrs.fields(cls)}


def _has_own(cls: type, *names: str) -> bool:
    return any(name in vars(base) for base in cls.__mro__[:-1] for name in names)


def _check_plain(cls: Any) -> None:
    if type(cls) is not type or _has_own(cls, "__new__", *_SUBCLASSING) or not _made_by_attrs(cls):
        raise _NotPlain
    for field in attrs.fields(cls):
        plain = field.init and field.converter is None and field.validator is None
        lazy = isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]
        if (
            not plain
            or lazy
            or not isinstance(getattr(cls, field.name, None), MemberDescriptorType)
        ):
            raise _NotPlain
    if any(hasattr(cls, name) for name in _SPECIAL):
        raise _NotPlain


def _made_by_attrs(cls: Any) -> bool:
    code = getattr(cls.__init__, "__code__", None)
    if code is None or not code.co_filename.startswith("<attrs generated"):
        return False
    arguments = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    if set(arguments) != {field.alias for field in attrs.fields(cls)}:
        return False  # the constructor of a parent that has fewer attributes
    setter = cls.__setattr__
    return setter is object.__setattr__ or str(setter.__module__).startswith("attr")


def _decoding_class(
    cls: type, rename: Rename, outer: tuple[type, ...] = ()
) -> tuple[Any, Restore | None]:
    if cls in outer:
        raise _NotPlain  # a class that holds itself would have to be translated without end
    outer = (*outer, cls)
    if is_model(cls):
        for hint in _hints(cls).values():
            if _translate(hint, rename, outer)[1] is not None:
                raise _NotPlain  # it holds a class that msgspec cannot fill by itself
        return cls, None
    _check_plain(cls)
    space: dict[str, Any] = {"__slots__": (), "__annotations__": {}}
    fields: list[SimpleNamespace] = []
    restores: list[tuple[Callable[[Any], Any], bool, Restore]] = []
    for field, hint in zip(attrs.fields(cls), _hints(cls).values(), strict=True):
        name = rename(field.name)
        kind, restore, many = _translate(hint, rename, outer)
        if restore is not None:
            restores.append((attrgetter(field.name), many, restore))
        space[name] = getattr(cls, field.name)
        space["__annotations__"][name] = kind
        fields.append(SimpleNamespace(name=name, default=field.default, validator=None))
    if not restores and all(field.name == rename(field.name) for field in attrs.fields(cls)):
        return cls, None
    space["__attrs_attrs__"] = tuple(fields)
    return type(f"{cls.__name__}Decoded", (cls,), space), _restorer(cls, restores)


def _restorer(cls: type, restores: list[tuple[Callable[[Any], Any], bool, Restore]]) -> Restore:
    def restore(items: Iterable[Any]) -> None:
        _run(map(_set_class, items, repeat(cls)))
        for read, many, inner in restores:
            found = list(filter(None, map(read, items)))
            inner(list(chain.from_iterable(found)) if many else found)

    return restore


def _translate(
    hint: Any, rename: Rename, outer: tuple[type, ...]
) -> tuple[Any, Restore | None, bool]:
    """Give the annotation to decode by, how to restore the class, and whether it is a list."""
    if hint in {datetime, AWARE}:
        return AWARE, None, False
    if hint in _LEAVES or hint is NoneType:
        return hint, None, False
    if get_origin(hint) in {Union, UnionType}:
        parts = [_translate(part, rename, outer) for part in get_args(hint)]
        inner = [(restore, many) for _, restore, many in parts if restore is not None]
        if len(parts) != 2 or NoneType not in get_args(hint):  # noqa: PLR2004 - a union with None
            raise _NotPlain
        union = functools.reduce(operator.or_, (kind for kind, _, _ in parts))
        return (union, *inner[0]) if inner else (union, None, False)
    if get_origin(hint) is list:
        kind, restore, many = _translate(get_args(hint)[0], rename, outer)
        if many or NoneType in get_args(kind):
            raise _NotPlain
        return list.__class_getitem__(kind), restore, restore is not None
    if isinstance(hint, type) and attrs.has(hint):
        return (*_decoding_class(hint, rename, outer), False)
    raise _NotPlain


PACKAGE_DECODERS = FastDecoders()
"""Those of the package's converter: they serve before it is loaded, and cattrs with it."""
