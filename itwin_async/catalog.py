"""Every operation of the package, with its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import NotRequired, Required, Unpack, get_args, get_origin, get_type_hints

import attrs

from itwin_async import imodels, itwins, saved_views
from itwin_async.operations import Operation

_WINGS = {"imodels": imodels, "itwins": itwins, "saved_views": saved_views}


@attrs.frozen
class Parameter:
    """
    A parameter of an operation's function.

    Attributes:
        name: its name.
        hint: its type, resolved.
        required: whether it has no default.
        keyword: whether it can only be given by name.

    """

    name: str
    hint: object
    required: bool
    keyword: bool


@attrs.frozen(eq=False)
class Entry:
    """An operation and its function."""

    operation: Operation
    function: Callable[..., object]

    @property
    def parameters(self) -> list[Parameter]:
        """What the function takes beside the session, keywords of a ``TypedDict`` included."""
        hints = get_type_hints(self.function)
        found: list[Parameter] = []
        for name, parameter in [*inspect.signature(self.function).parameters.items()][1:]:
            if get_origin(hints[name]) is Unpack:
                found += _members(get_args(hints[name])[0])
            else:
                required = parameter.default is parameter.empty
                keyword = parameter.kind is parameter.KEYWORD_ONLY
                found.append(Parameter(name, hints[name], required, keyword))
        return found

    @property
    def usage(self) -> str:
        """A call with the arguments that it needs, for people."""
        needed = [
            f"{parameter.name}=..." if parameter.keyword else parameter.name
            for parameter in self.parameters
            if parameter.required
        ]
        return f"{self.operation.name}({', '.join(['session', *needed])})"


def operations() -> Iterator[Entry]:
    """Go through all operations, API by API, in the order in which they are declared."""
    for wing in _WINGS.values():
        for operation in wing.api.operations.values():
            yield Entry(operation, getattr(wing, operation.name.partition(".")[2]))


def _members(cls: type) -> Iterator[Parameter]:
    marked = get_type_hints(cls, include_extras=True)
    required: frozenset[str] = cls.__required_keys__  # type: ignore[attr-defined]
    for name, hint in get_type_hints(cls).items():
        # The mark of a postponed annotation does not count in required keys.
        mark = get_origin(marked[name])
        needed = mark is Required or (name in required and mark is not NotRequired)
        yield Parameter(name, hint, needed, keyword=True)
