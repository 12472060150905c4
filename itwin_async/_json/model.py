"""
The platform's models: attrs classes to everybody, made by msgspec.

msgspec fills an attrs class by ``setattr``, under the names of its attributes only, so that every
object had to be made as another class and then turned into the model. It fills a class of its own,
a ``Struct``, directly. So a model is one, and everything else of it is what attrs generated for the
class as it was written: fields, ``repr``, equality, hash, ``FrozenInstanceError``. The class that
attrs made stays beside it for one purpose: it is what a class derived from a model inherits, which
is therefore plain attrs, slower to decode, and free to have validators and an ``__init__``.

Decoding 1000 whole iModels, million instructions (callgrind), with attrs alone and with this:
CPython 3.11 37.4 and 20.7, 3.12 45.9 and 23.1, 3.13 47.9 and 23.2; orjson's dicts 27.2, 30.0, 30.2.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeGuard, get_type_hints

import attrs
import msgspec

from itwin_async._json.naming import SPELLINGS, wire_name
from itwin_async._json.pydantic import known_to_pydantic

__all__ = ["AWARE", "is_model", "model"]

AWARE = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone; the converter knows what one without a zone means."""

_PLAIN: dict[type, type] = {}
_MODELS: dict[type, type] = {}  # the other way round
_MADE_BY_MSGSPEC = {"__slots__", "__weakref__", "__init__", "__getstate__", "__setstate__"}


class _ModelType(ABCMeta, msgspec.StructMeta):  # abstract only to know its virtual subclasses
    def __new__(
        cls, name: str, bases: tuple[type, ...], space: dict[str, Any], **options: object
    ) -> Any:  # noqa: ANN401 - whatever class it becomes
        """Derive a class from the attrs class behind a model."""
        return type(name, tuple(_PLAIN.get(base, base) for base in bases), space, **options)


def is_model(cls: object) -> TypeGuard[type]:
    """Tell whether msgspec makes the instances of a class."""
    return isinstance(cls, _ModelType)


def _make(cls: type) -> Any:  # noqa: ANN401 - type checkers see attrs.frozen instead
    """Make a class of plain attributes a model: a frozen attrs class that decodes fast."""
    plain = known_to_pydantic(attrs.frozen(cls))
    own = {field.name: field for field in attrs.fields(plain) if not field.inherited}
    left_out = own.keys() | _MADE_BY_MSGSPEC
    space = {name: value for name, value in vars(plain).items() if name not in left_out}
    space |= {
        name: field.default for name, field in own.items() if field.default is not attrs.NOTHING
    }
    hints = get_type_hints(plain, localns={"datetime": AWARE}, include_extras=True)
    space["__annotations__"] = {name: hints[name] for name in own}
    space["__rich_repr__"], space["__repr__"] = _shown, _repr
    names = SPELLINGS.pop(cls, {})
    bases = tuple(_MODELS.get(base, msgspec.Struct) for base in plain.__bases__)
    made: Any = ABCMeta.__new__(
        _ModelType,
        cls.__name__,
        bases,
        space,
        rename=lambda name: names.get(name) or wire_name(name),
        omit_defaults=True,
        weakref=True,
    )
    if names:
        SPELLINGS[made] = names
    _PLAIN[made], _MODELS[plain] = plain, made
    made.register(plain)
    return made


def _shown(self: attrs.AttrsInstance) -> Iterator[tuple[str, object]]:
    # A Struct would show all of its members: secrets, and the many that are None.
    for field in attrs.fields(type(self)):
        value = getattr(self, field.name)
        if field.repr and (value is not None or field.default is not None):
            yield field.name, value


def _repr(self: attrs.AttrsInstance) -> str:
    members = ", ".join(f"{name}={value!r}" for name, value in _shown(self))
    return f"{type(self).__name__}({members})"


if TYPE_CHECKING:
    from attrs import frozen as model
else:
    model = _make
