"""Every operation of the package, with its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import attrs

from itwin_async import imodels, itwins, saved_views
from itwin_async.operations import Operation

_WINGS = {"imodels": imodels, "itwins": itwins, "saved_views": saved_views}


@attrs.frozen(eq=False)
class Entry:
    """An operation and its function."""

    operation: Operation
    function: Callable[..., object]

    @property
    def usage(self) -> str:
        """A call with the arguments that it needs, for people."""
        needed = [
            name
            for name, parameter in inspect.signature(self.function).parameters.items()
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        ]
        return f"{self.operation.name}({', '.join(needed)})"


def operations() -> Iterator[Entry]:
    """Go through all operations, API by API, in the order in which they are declared."""
    for wing in _WINGS.values():
        for operation in wing.api.operations.values():
            yield Entry(operation, getattr(wing, operation.name.partition(".")[2]))
