"""The log of all requests, and assertions on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
from multidict import CIMultiDict

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.requests import Query, Request, RequestPattern

_SECRET = ("authorization", "cookie", "proxy-authorization")
_SHOWN = 30


@attrs.define(kw_only=True)
class RecordedRequest:
    """
    A request that reached the emulator.

    Args:
        method: the HTTP method.
        path: the path as it was sent.
        query: the query as it was sent, without the question mark.
        headers: the headers; of secrets only the scheme.
        user: the name of its user; None without a valid token.
        status: the status of the response; None while there is none, or when the connection was
            dropped instead.
        time: when it came, by the emulator's clock.
        fault: the fault that applied, in words.
        body: the bytes of the body.

    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    time: float
    user: str | None = None
    status: int | None = None
    fault: str | None = None
    body: bytes = b""

    @classmethod
    def of(cls, request: Request, *, time: float, user: str | None) -> RecordedRequest:
        """Record a request without its secrets."""
        headers = CIMultiDict(request.headers)
        for name in _SECRET:
            if name in headers:
                scheme, blank, _ = headers[name].partition(" ")
                headers[name] = scheme if blank else "***"
        return cls(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=headers,
            time=time,
            user=user,
            body=request.body,
        )

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        status = "no answer" if self.status is None else str(self.status)
        return f"{self.method} {self.path}{query} -> {status}"

    def json(self) -> JsonObject:
        """Return the request as the control interface shows it."""
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": dict(self.headers),
            "user": self.user,
            "status": self.status,
            "time": self.time,
            "fault": self.fault,
        }


class RequestLog:
    """
    What was asked of the platform, the oldest first.

    Args:
        keep: how many requests are remembered at least.

    """

    def __init__(self, keep: int) -> None:
        self.requests: list[RecordedRequest] = []
        self.count = 0
        self.counts: dict[str, int] = {}
        self.violations: list[str] = []
        self._keep = keep

    def add(self, record: RecordedRequest) -> None:
        """Remember a request."""
        if len(self.requests) >= 2 * self._keep:
            del self.requests[: self._keep]
        self.requests.append(record)
        self.count += 1

    def count_operation(self, operation: str) -> None:
        """Count a call of an operation such as `GET /imodels/{id}`."""
        self.counts[operation] = self.counts.get(operation, 0) + 1

    def clear(self) -> None:
        """Forget all requests, but not the violations."""
        self.requests.clear()
        self.counts.clear()
        self.count = 0


@attrs.frozen
class Wanted:
    """
    Which requests a test looks for.

    Args:
        match: method and path, as `GET /imodels/favorites`.
        query: parameters that were sent, with their values.
        user: the name of the user.

    """

    match: str
    query: Mapping[str, str] = attrs.field(factory=dict[str, str])
    user: str | None = None

    def __str__(self) -> str:
        words = [self.match]
        words += [f"with {name}={value}" for name, value in self.query.items()]
        if self.user is not None:
            words.append(f"by {self.user}")
        return " ".join(words)

    def among(self, requests: Sequence[RecordedRequest]) -> list[RecordedRequest]:
        """Return the requests that fit."""
        pattern = RequestPattern(self.match)

        def fits(row: RecordedRequest) -> bool:
            query = Query(row.query) if self.query else {}
            return (
                pattern.matches(row.method, row.path)
                and self.user in {None, row.user}
                and all(query.get(name) == value for name, value in self.query.items())
            )

        return list(filter(fits, requests))

    def explain(self, requests: Sequence[RecordedRequest], expected: str) -> str:
        """Return why an assertion failed that expected these requests so often."""
        found = self.among(requests)
        lines = [f"expected {self} {expected}, but it was called {times_in_words(len(found))}."]
        if not requests:
            return f"{lines[0]}\nNothing was called at all."
        lines.append(f"What was called ({len(requests)} in all):")
        if len(requests) > _SHOWN:
            lines.append(f"    ... {len(requests) - _SHOWN} earlier ones")
        ids = {id(request) for request in found}
        lines += [f"  {'>' if id(row) in ids else ' '} {row}" for row in requests[-_SHOWN:]]
        return "\n".join(lines)


def times_in_words(count: int) -> str:
    """Return a number of calls in words."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
