"""Whether a model kept what a body of the platform says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime


def faithful(sample: object, ours: object, place: str = "$") -> Iterator[str]:
    """Name what a model lost or changed."""
    if isinstance(sample, dict) and isinstance(ours, dict):
        for key, value in sample.items():
            if value is not None and key not in ours:
                yield f"{place}.{key} is lost"
            else:
                yield from faithful(value, ours.get(key), f"{place}.{key}")
    elif isinstance(sample, list) and isinstance(ours, list) and len(sample) == len(ours):
        for number, (one, two) in enumerate(zip(sample, ours, strict=True)):
            yield from faithful(one, two, f"{place}[{number}]")
    elif _plain(sample, place) != _plain(ours, place):
        yield f"{place} is {ours}, not {sample}"


def _plain(value: object, place: str) -> object:
    if isinstance(value, str) and place.endswith(("DateTime", "Date")):
        return datetime.fromisoformat(value)
    return value
