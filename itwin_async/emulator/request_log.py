"""The log of all requests."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs
import msgspec
from multidict import CIMultiDict

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.requests import Request
from itwin_async.emulator.storage.signatures import is_storage

_SECRET = ("authorization", "cookie", "proxy-authorization")
_LONGEST_BODY = 100
_LONGEST_PARAMETER = 60
_LONGEST_FILE = 1 << 16
_SIGNATURE = re.compile(r"(?<=[?&]sig=)[^&]*|(?<=^sig=)[^&]*")


@attrs.define(kw_only=True, repr=False)
class RecordedRequest:
    """
    A request that reached the emulator.

    Args:
        method: the HTTP method.
        path: the path as it was sent.
        query: the query as it was sent, without the question mark; of signed URLs without the
            signature.
        headers: the headers; of secrets only the scheme.
        user: the name of its user; None without a valid token.
        status: the status of the response; None while there is none, or when the connection was
            dropped instead.
        time: when it came, by the emulator's clock.
        fault: the fault that applied, in words.
        body: the bytes of the body; none of a long one that went to the storage.

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
        query, body = request.query, request.body
        if is_storage(request.path):
            query = _SIGNATURE.sub("***", query)
            body = body if len(body) <= _LONGEST_FILE else b""
        return cls(
            method=request.method,
            path=request.path,
            query=query,
            headers=headers,
            time=time,
            user=user,
            body=body,
        )

    def __str__(self) -> str:
        parts = [_cut(part, _LONGEST_PARAMETER) for part in self.query.split("&")]
        query = f"?{'&'.join(parts)}" if self.query else ""
        status = "no answer" if self.status is None else str(self.status)
        return f"{self.method} {self.path}{query} -> {status}"

    def __repr__(self) -> str:
        words = [str(self)]
        if self.user is not None:
            words.append(f"by {self.user}")
        if self.fault is not None:
            words.append(f"fault: {self.fault}")
        if self.body:
            text = " ".join(self.body.decode("utf-8", "replace").split())
            words.append(f"body: {_cut(text, _LONGEST_BODY)}")
        return f"<{', '.join(words)}>"

    def content(self) -> object:
        """Return the JSON of the body; the text of one that is no JSON, and None without a body."""
        try:
            return msgspec.json.decode(self.body) if self.body else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self.body.decode("utf-8", "replace")

    def json(self, *, body: bool = False) -> JsonObject:
        """Return the request as the control interface shows it, with its body as text if wanted."""
        text: JsonObject = {"body": self.body.decode("utf-8", "replace")} if body else {}
        return {
            **text,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": dict(self.headers),
            "user": self.user,
            "status": self.status,
            "time": self.time,
            "fault": self.fault,
        }


class Requests(list[RecordedRequest]):
    """Requests, the oldest first; as text one a line."""

    def __str__(self) -> str:
        return "\n".join(map(repr, self))


class RequestLog:
    """
    What was asked of the platform, the oldest first.

    Args:
        keep: how many requests are remembered at least.

    """

    def __init__(self, keep: int) -> None:
        self.requests = Requests()
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


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}..."


def times_in_words(count: int) -> str:
    """Return a number of calls in words."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
