"""What was asked of the emulator, and ways to assert on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from multidict import CIMultiDict

from itwin_async.emulator.faults.plan import Fault, SetFault
from itwin_async.emulator.requests import Query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from itwin_async.emulator.json_types import JsonObject

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
        user: the name of the user that called; nothing without a good token.
        status: what was answered; nothing while it is being worked on or when the connection was
            dropped instead.
        time: when it came, by the emulator's clock.
        fault: the fault that applied, in words.
        body: the bytes that came with it.

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


def scrub(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return a copy of headers in which secrets are cut down to their scheme."""
    found = CIMultiDict(headers)
    for name in _SECRET:
        if name in found:
            found[name] = found[name].partition(" ")[0] if " " in found[name] else "***"
    return found


@attrs.frozen
class Wanted:
    """
    What a test looks for among the requests.

    Args:
        match: method and path, as `GET /imodels/favorites`.
        query: parameters that were sent, with their values.
        user: the name of the user that called.

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
        """Return the requests that are meant."""
        probe = SetFault(Fault(match=self.match, times=None))
        found = [row for row in requests if probe.due(row.method, row.path, None)]
        if self.user is not None:
            found = [row for row in found if row.user == self.user]
        if self.query:
            found = [row for row in found if self._asks(Query(row.query))]
        return found

    def _asks(self, query: Query) -> bool:
        return all(query.get(name) == value for name, value in self.query.items())


def explain(requests: Sequence[RecordedRequest], wanted: Wanted, expected: str) -> str:
    """
    Return what a failed assertion says.

    Args:
        requests: all that was asked.
        wanted: what should have been asked.
        expected: how often.

    """
    found = wanted.among(requests)
    lines = [f"expected {wanted} {expected}, but it was called {times_in_words(len(found))}."]
    if not requests:
        lines.append("Nothing was called at all.")
    else:
        lines.append(f"What was called ({len(requests)} in all):")
        marks = {id(request) for request in found}
        lines += [
            f"  {'>' if id(request) in marks else ' '} {request}" for request in requests[-_SHOWN:]
        ]
        if len(requests) > _SHOWN:
            lines.insert(2, f"    ... {len(requests) - _SHOWN} earlier ones")
    return "\n".join(lines)


def times_in_words(count: int) -> str:
    """Return a number of calls as a word."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
