"""A request as it came in, and patterns that match requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

import attrs

_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "*"}


@attrs.frozen(kw_only=True)
class Request:
    """
    A request as it came in.

    Args:
        method: the HTTP method.
        target: path and query as they were sent.
        headers: names in any case.
        body: the bytes of the body.
        origin: scheme and host that it was sent to.
        epoch: how often the emulator had been reset when it came; None is always current.

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
        """The query as it was sent, without the question mark."""
        return self.target.partition("?")[2]

    def __str__(self) -> str:
        return f"{self.method} {self.target.removesuffix('?')}"


class Query(Mapping[str, str]):
    """
    The parameters of a query or form; names in any case, the first of equal ones.

    Args:
        raw: the query as it was sent, without the question mark.

    """

    def __init__(self, raw: str) -> None:
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


class RequestPattern:
    """
    Which requests are meant: `METHOD /path`, or `*` for all.

    Args:
        text: in the path, `{id}` or `*` stand for one segment and a last `/**` for the rest.

    Raises:
        ValueError: the text is no such pattern.

    """

    def __init__(self, text: str) -> None:
        method, _, path = text.partition(" ")
        self._method = method.upper()
        self._path: re.Pattern[str] | None = None
        if text == "*":
            return
        if self._method not in _METHODS or not path.startswith(("/", "*")):
            raise ValueError(f"write a match as 'GET /imodels/favorites' or '*', not {text!r}")
        if "?" in path or "**" in path.removesuffix("/**"):
            raise ValueError(f"a match is a path, without a query, and '/**' ends it, not {text!r}")
        rest = path.endswith("/**")
        segments = split_path(path.removesuffix("/**"))
        parts = ["[^/]*" if is_variable(part) else re.escape(part.lower()) for part in segments]
        pattern = "/" + "/".join(parts) if parts != [""] else ("" if rest else "/")
        self._path = re.compile(pattern + ("(/.*)?" if rest else ""))

    def matches(self, method: str, path: str) -> bool:
        """Whether a request with this method and path is meant."""
        if self._path is None:
            return True
        if self._method not in {"*", method}:
            return False
        return self._path.fullmatch("/" + "/".join(split_path(path)).lower()) is not None


def split_path(path: str) -> list[str]:
    """Return the segments of a path as it was sent, without a trailing slash."""
    return path.removeprefix("/").removesuffix("/").split("/")


def is_variable(segment: str) -> bool:
    """Whether a segment of a path template stands for any value."""
    return segment == "*" or (segment[:1] == "{" and segment[-1:] == "}")
