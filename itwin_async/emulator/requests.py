"""A request as it came in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

import attrs


def split_path(path: str) -> list[str]:
    """Return the segments of a path as it was sent, without a trailing slash."""
    return path.removeprefix("/").removesuffix("/").split("/")


@attrs.frozen(kw_only=True)
class Request:
    """
    A request as it came in.

    Args:
        method: the HTTP method.
        target: path and query as they were sent.
        headers: names in any case.
        body: the bytes that came with it.
        origin: scheme and host that it was sent to.
        epoch: how often the emulator had been reset when it came; it is of no time when absent.

    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    origin: str = ""
    epoch: int | None = None

    @property
    def path(self) -> str:
        """The path as it was sent."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query as it was sent."""
        return self.target.partition("?")[2]


class Query(Mapping[str, str]):
    """
    The parameters of a query; names in any case, the first of equal ones.

    Args:
        raw: the query as it was sent, without the question mark.

    """

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self._values: dict[str, str] = {}
        for name, value in parse_qsl(raw, keep_blank_values=True, errors="replace"):
            self._values.setdefault(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
