"""The controls of the request log."""

from __future__ import annotations

from collections.abc import Mapping

from itwin_async.emulator.engine import Engine
from itwin_async.emulator.near_misses import check_match
from itwin_async.emulator.request_log import Requests, times_in_words
from itwin_async.emulator.wanted import Wanted


class RequestControls:
    """What an emulator was asked."""

    _engine: Engine

    @property
    def requests(self) -> Requests:
        """The requests to the platform, the oldest first; printed one a line."""
        return self._engine.log.requests

    @property
    def request_count(self) -> int:
        """How many requests came in all; of very many, `requests` has only the last."""
        return self._engine.log.count

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each operation was called, as `GET /imodels/favorites`."""
        return self._engine.log.counts

    def clear_requests(self) -> None:
        """Forget all requests."""
        with self._engine.lock:
            self._engine.log.clear()

    @property
    def violations(self) -> list[str]:
        """In strict mode: requests that the platform would refuse from anybody."""
        return self._engine.log.violations

    def calls(
        self,
        match: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        user: str | None = None,
        status: int | None = None,
    ) -> Requests:
        """
        Return the requests that match.

        Args:
            match: method and path, as `GET /imodels/favorites`.
            query: parameters that were sent, with their values.
            headers: headers that were sent, with their values.
            json: what the JSON body had, among other members.
            user: the name of the user.
            status: the status of the response.

        Raises:
            ValueError: no operation matches.

        """
        check_match(match)
        with self._engine.lock:
            return _wanted(match, query, headers, json, user, status).among(
                self._engine.log.requests
            )

    def assert_called(
        self,
        match: str,
        *,
        times: int | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        user: str | None = None,
        status: int | None = None,
    ) -> Requests:
        """
        Fail unless an operation was called, and return the requests.

        Args:
            match: method and path, as `PUT /imodels/favorites/{id}`.
            times: how often exactly; at least once when None.
            query: parameters that were sent, with their values.
            headers: headers that were sent, with their values.
            json: what the JSON body had, among other members.
            user: the name of the user.
            status: the status of the response.

        Raises:
            ValueError: no operation matches.
            AssertionError: it was not; the message lists what was called instead.

        """
        __tracebackhide__ = True  # pytest then shows the line of the test
        found = self.calls(match, query=query, headers=headers, json=json, user=user, status=status)
        if (times is None and not found) or (times is not None and len(found) != times):
            expected = "at least once" if times is None else times_in_words(times)
            wanted = _wanted(match, query, headers, json, user, status)
            raise AssertionError(wanted.explain(self._engine.log.requests, expected))
        return found

    def assert_not_called(self, match: str) -> None:
        """Fail if an operation was called."""
        __tracebackhide__ = True
        self.assert_called(match, times=0)


def _wanted(
    match: str,
    query: Mapping[str, str] | None,
    headers: Mapping[str, str] | None,
    json: object,
    user: str | None,
    status: int | None,
) -> Wanted:
    return Wanted(
        match=match,
        query=query or {},
        headers=headers or {},
        json=json,
        user=user,
        status=status,
    )
