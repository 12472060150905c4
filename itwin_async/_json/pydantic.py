"""Models as pydantic sees them: checked, written and described with the platform's names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import attrs

from itwin_async._json.naming import SPELLINGS, wire_names

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

T = TypeVar("T", bound=type)

_MEMBER = re.compile(r"^    (\w+): (.*(?:\n     +.*)*)", re.MULTILINE)


def known_to_pydantic(cls: T) -> T:
    """Let pydantic, and so FastAPI, read, write and describe an attrs class."""
    cls.__get_pydantic_core_schema__ = classmethod(core_schema_of)  # type: ignore[attr-defined]
    return cls


def core_schema_of(cls: Any, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
    """Make the schema that pydantic checks, writes and describes a model by."""
    from pydantic_core import core_schema  # noqa: PLC0415 - pydantic asks, so it is there

    names, told = wire_names(cls), _documented(cls)
    hints = get_type_hints(cls)
    fields = {
        names[field.name]: core_schema.typed_dict_field(
            handler.generate_schema(hints[field.name]),
            required=field.default is attrs.NOTHING,
            metadata={"pydantic_js_updates": {"description": told[field.name]}}
            if field.name in told
            else None,
        )
        for field in attrs.fields(cls)
    }
    summary = (inspect.getdoc(cls) or "").partition("\n\n")[0]
    members = core_schema.typed_dict_schema(
        fields,
        extra_behavior="ignore",
        metadata={"pydantic_js_updates": {"title": cls.__name__, "description": summary}},
    )

    def read(value: object, check: Any) -> object:  # noqa: ANN401 - pydantic's function
        if isinstance(value, cls):
            return value
        if isinstance(value, Mapping) and cls in SPELLINGS:
            spelled = {name.lower(): name for name in fields}
            value = {spelled.get(str(name).lower(), name): each for name, each in value.items()}
        found = check(value)
        return cls(**{name: _aware(found[w]) for name, w in names.items() if w in found})

    def written(value: Any) -> dict[str, object]:  # noqa: ANN401 - an instance of cls
        given = ((wire, getattr(value, name)) for name, wire in names.items())
        return {wire: member for wire, member in given if member is not None}

    return core_schema.no_info_wrap_validator_function(
        read,
        members,
        ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
        serialization=core_schema.plain_serializer_function_ser_schema(
            written, return_schema=members
        ),
    )


def _aware(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _documented(cls: type) -> dict[str, str]:
    """Read what the docstrings of a class and its parents tell of its attributes."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        _, _, attributes = inspect.cleandoc(vars(base).get("__doc__") or "").partition(
            "\nAttributes:\n"
        )
        found |= {name: " ".join(text.split()) for name, text in _MEMBER.findall(attributes)}
    return found
