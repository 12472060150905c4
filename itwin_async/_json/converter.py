"""What a model means: the rules between attrs classes and the platform's JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self, TypeVar, cast, get_args, get_origin

import attrs
import cattrs
import msgspec
from cattrs.errors import ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from itwin_async._json.fast_path import PACKAGE_DECODERS, FastDecoders
from itwin_async._json.naming import SPELLINGS, wire_name, wire_names
from itwin_async.errors import DecodeError

T = TypeVar("T")


class Converter(cattrs.Converter):
    """
    A cattrs converter that knows the platform's names and is strict about types.

    Hooks that are registered on it win over everything else: models that they touch are no longer
    decoded on the fast path.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._settled = False
        self.decoders = FastDecoders()
        super().__init__(*arguments, **options)
        _register(self)
        # A copy has these rules already, made for itself.
        self._struct_copy_skip = self._structure_func.get_num_fns()
        self._unstruct_copy_skip = self._unstructure_func.get_num_fns()
        self._settled = True

    def copy(self, *arguments: Any, **options: Any) -> Self:
        """Make a converter with the same hooks, as ``cattrs.Converter`` does."""
        twin = super().copy(*arguments, **options)
        twin.decoders.hooks = [*self.decoders.hooks]
        return twin

    def __copy__(self) -> Self:
        return self.copy()

    def register_structure_hook(self, cl: Any, func: Any = None) -> Any:
        """Register how to structure a class, as ``cattrs.Converter`` does."""
        if func is None:
            self._note(lambda _: True)  # a decorated function says by its annotation what it makes
            return super().register_structure_hook(cl)
        self._note(lambda part: part == cl or (isinstance(part, type) and issubclass(part, cl)))
        super().register_structure_hook(cl, func)
        return None

    def register_structure_hook_func(self, check_func: Any, func: Any) -> None:
        """Register how to structure what a predicate accepts, as ``cattrs.Converter`` does."""
        self._note(check_func)
        super().register_structure_hook_func(check_func, func)

    def register_structure_hook_factory(self, predicate: Any, factory: Any = None) -> Any:
        """
        Register a factory of hooks for what a predicate accepts, as ``cattrs.Converter`` does.
        """
        self._note(predicate)
        return super().register_structure_hook_factory(predicate, factory)

    def _note(self, check: Callable[[Any], bool]) -> None:
        if self._settled:
            self.decoders.heed(check)


def from_dict(cls: type[T], value: Mapping[str, object]) -> T:
    """
    Read a model from a mapping with the platform's names; members it does not know are ignored.

    Raises:
        DecodeError: a member has a wrong type, or is spelled as the attribute instead.

    """
    if attrs.has(cls) and isinstance(cast("object", value), Mapping):
        _check_spelling(cls, value)
    return structure(converter, value, cls, "$")


def _check_spelling(cls: Any, value: Mapping[str, object]) -> None:
    known = wire_names(cls)
    for name, wire in known.items():
        if name in value and name not in known.values():
            raise DecodeError(f"{name} is the attribute's name; the platform's is {wire}")


def structure(target: Converter, value: object, cls: type[T], path: str) -> T:
    """
    Read a model from plain values.

    Raises:
        DecodeError: a member is missing or has a wrong type; the message names its JSON path.

    """
    try:
        return target.structure(value, cls)
    except Exception as problem:  # noqa: BLE001 - hooks of callers may raise anything
        text, where = _first_fault(problem, path)
    raise DecodeError(f"{text} at {where}", json_path=where)


def _first_fault(problem: Exception, path: str) -> tuple[str, str]:
    if isinstance(problem, ClassValidationError):
        for inner, field in problem.group_exceptions()[0]:
            name = SPELLINGS.get(problem.cl, {}).get(field.name, wire_name(field.name))
            return _first_fault(inner, f"{path}.{name}")
    if isinstance(problem, IterableValidationError):
        for inner, element in problem.group_exceptions()[0]:
            return _first_fault(inner, f"{path}[{element.index}]")
    if isinstance(problem, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", problem)
        return _first_fault(group.exceptions[0], path)
    if isinstance(problem, KeyError):
        return "a required member is missing", path
    return str(problem) or type(problem).__name__, path


def kind_of(value: object) -> str:
    """Name the kind of a JSON value for a message."""
    if isinstance(value, bool):
        return "a boolean"
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a string"}
    return "null" if value is None else kinds.get(type(value), "a number")


def _strict(kind: type[T], words: str) -> Callable[[object, object], T]:
    def structure(value: object, _: object) -> T:
        if type(value) is not kind:
            raise TypeError(f"expected {words}, got {kind_of(value)}")
        return value

    return structure


def _float(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {kind_of(value)}")
    try:
        return float(value)
    except OverflowError:
        raise TypeError("expected a number that fits 64 bits") from None


def _datetime(value: object, _: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError(f"expected a date-time, got {kind_of(value)}")
    try:
        moment = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        moment = _iso_8601(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _iso_8601(text: str) -> datetime:
    # It reads more forms, and does not round the seventh digit of .NET's last moment up.
    try:
        return datetime.fromisoformat(text.strip().upper())
    except ValueError:
        raise TypeError(f"expected an ISO 8601 date-time, got {text[:40]!r}") from None


def _json_object(value: object, _: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, got {kind_of(value)}")
    return cast("Mapping[str, object]", value)


def _iso(moment: datetime) -> str:
    text = moment.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _register(target: Converter) -> None:
    target.register_structure_hook(str, _strict(str, "a string"))
    target.register_structure_hook(int, _strict(int, "a whole number"))
    target.register_structure_hook(bool, _strict(bool, "a boolean"))
    target.register_structure_hook(float, _float)
    target.register_structure_hook(datetime, _datetime)
    target.register_unstructure_hook(datetime, _iso)
    # JSON that no model describes stays as it is.
    target.register_structure_hook_func(lambda hint: hint is object, lambda value, _: value)
    target.register_structure_hook_func(lambda hint: hint == Mapping[str, object], _json_object)
    target.register_structure_hook_factory(_is_list, lambda cls: _list_hook(cls, target))
    target.register_structure_hook_factory(attrs.has, lambda cls: _model_hook(cls, target))
    target.register_unstructure_hook_factory(
        attrs.has,
        lambda cls: make_dict_unstructure_fn(
            cls, target, _cattrs_omit_if_default=True, **_renames(cls)
        ),
    )


def _is_list(cls: Any) -> bool:
    return get_origin(cls) is list


def _list_hook(cls: Any, target: Converter) -> Callable[[Any, Any], Any]:
    (element,) = get_args(cls)

    def structure(value: object, _: object) -> list[object]:
        if not isinstance(value, list):
            raise TypeError(f"expected a list, got {kind_of(value)}")
        entries: list[object] = value
        return [target.structure(entry, element) for entry in entries]

    return structure


def _model_hook(cls: Any, target: Converter) -> Callable[[Any, Any], Any]:
    any_case = cls in SPELLINGS
    inner = make_dict_structure_fn(cls, target, **_renames(cls, lower=any_case))

    def structure(value: object, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"expected an object, got {kind_of(value)}")
        members = cast("Mapping[str, Any]", value)
        if any_case:
            members = {name.lower(): member for name, member in members.items()}
        return inner(members, kind)

    return structure


def _renames(cls: Any, *, lower: bool = False) -> dict[str, Any]:
    names = wire_names(cls)
    return {name: override(rename=wire.lower() if lower else wire) for name, wire in names.items()}


converter = Converter()
"""The converter of every session that is not given one of its own."""
converter.decoders = PACKAGE_DECODERS
