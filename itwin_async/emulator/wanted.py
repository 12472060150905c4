"""Which requests are meant, by faults and by assertions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from itwin_async.emulator.differences import differences
from itwin_async.emulator.request_log import RecordedRequest, Requests, times_in_words
from itwin_async.emulator.requests import Query, RequestPattern

_SHOWN = 30


@attrs.frozen(kw_only=True)
class Wanted:
    """
    Which requests are meant.

    Args:
        match: method and path, as `GET /imodels/favorites`.
        query: parameters that were sent, with their values.
        headers: headers that were sent, with their values.
        json: what the JSON body has: of objects, these members among others; anything when None.
        user: the name of the user.
        status: the status of the response.

    """

    match: str
    query: Mapping[str, str] = attrs.field(factory=dict[str, str])
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    json: object = None
    user: str | None = None
    status: int | None = None
    _pattern: RequestPattern = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Read the pattern; ValueError if it is none."""
        object.__setattr__(self, "_pattern", RequestPattern(self.match))

    def __str__(self) -> str:
        words = [self.match]
        words += [f"with {name}={value}" for name, value in self.query.items()]
        words += [f"with the header {name}: {value}" for name, value in self.headers.items()]
        if self.json is not None:
            words.append(f"with the body {self.json}")
        if self.user is not None:
            words.append(f"by {self.user}")
        if self.status is not None:
            words.append(f"with the status {self.status}")
        return " ".join(words)

    def fits(self, request: RecordedRequest) -> bool:
        """Whether a request is meant."""
        if not self._pattern.matches(request.method, request.path):
            return False
        return not any(self._differences(request))

    def among(self, requests: Sequence[RecordedRequest]) -> Requests:
        """Return the requests that are meant."""
        return Requests(filter(self.fits, requests))

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
        for row in requests[-_SHOWN:]:
            lines.append(f"  {'>' if id(row) in ids else ' '} {row}")
            if id(row) not in ids and self._pattern.matches(row.method, row.path):
                lines += [f"      {line}" for line in self._differences(row)]
        return "\n".join(lines)

    def _differences(self, request: RecordedRequest) -> Iterator[str]:
        if self.query:
            query = Query(request.query)
            for line in differences(dict(self.query), _named(query, self.query)):
                yield f"query {line}"
        if self.headers:
            for line in differences(dict(self.headers), _named(request.headers, self.headers)):
                yield f"header {line}"
        if self.json is not None:
            for line in differences(self.json, request.content(), partial=True):
                yield f"body {line}"
        if self.user not in {None, request.user}:
            yield f"user: expected {self.user}, but it is {request.user}"
        if self.status not in {None, request.status}:
            yield f"status: expected {self.status}, but it is {request.status or 'no answer'}"


def _named(found: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    return {name: found[name] for name in wanted if name in found}
