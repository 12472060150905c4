"""How one JSON value differs from another, member by member."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import msgspec

_LONGEST = 200


def differences(
    wanted: object, found: object, where: str = "", *, partial: bool = False
) -> Iterator[str]:
    """
    Yield the differences, each with the path of its member.

    Args:
        wanted: the value that is expected.
        found: the value that there is.
        where: the path of the values.
        partial: whether objects may have further members.

    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        first, second = cast("dict[str, object]", wanted), cast("dict[str, object]", found)
        for name, value in first.items():
            path = f"{where}.{name}".removeprefix(".")
            if name in second:
                yield from differences(value, second[name], path, partial=partial)
            else:
                yield f"{path}: expected {_show(value)}, but it is missing"
        for name in [] if partial else [name for name in second if name not in first]:
            path = f"{where}.{name}".removeprefix(".")
            yield f"{path}: not expected, but it is {_show(second[name])}"
    elif isinstance(wanted, list) and isinstance(found, list):
        items, others = cast("list[object]", wanted), cast("list[object]", found)
        for index, (one, other) in enumerate(zip(items, others, strict=False)):
            yield from differences(one, other, f"{where}[{index}]", partial=partial)
        for index in range(len(others), len(items)):
            yield f"{where}[{index}]: expected {_show(items[index])}, but it is missing"
        for index in range(len(items), len(others)):
            yield f"{where}[{index}]: not expected, but it is {_show(others[index])}"
    elif wanted != found or isinstance(wanted, bool) is not isinstance(found, bool):
        yield f"{where or 'the whole'}: expected {_show(wanted)}, but it is {_show(found)}"


def _show(value: object) -> str:
    text = msgspec.json.encode(value, enc_hook=repr).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
