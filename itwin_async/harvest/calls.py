"""Counts the calls of a harvest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from itwin_async.events import AttemptFinished, Event, WaitFinished
from itwin_async.session import Session

_TOO_MANY = 429
_BAD = 400
_KEPT = 1000


class CallCounter:
    """
    Counts what a session does during a harvest.

    Attributes:
        calls: requests that were sent, repeated ones included.
        retried: how many of them were repetitions.
        refused: how many were answered with 429.
        errors: how many failed otherwise.
        succeeded: how many were answered well.
        received: bytes of the answers, decompressed.
        spent: seconds that calls took, summed, without their waits.
        waited: seconds that calls waited for a connection, the quota or the end of a hold, summed.

    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.calls = self.retried = self.refused = self.errors = self.succeeded = 0
        self.received = 0
        self.spent = self.waited = 0.0
        self._failing: dict[str, int] = {}

    @property
    def waiting(self) -> int:
        """Calls that wait for the quota at this moment."""
        return self._session.waiting

    @property
    def held_until(self) -> datetime | None:
        """When calls may go again after a 429; ``None`` if they may."""
        return self._session.stats().held_until

    def others_succeeded(self, request_id: str) -> bool:
        """Tell whether other calls succeeded while all attempts of a call failed."""
        before = self._failing.pop(request_id, None)
        return before is not None and self.succeeded > before

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count inside the block."""
        with self._session.observe(self._observe):
            yield

    def _observe(self, event: Event) -> None:
        if isinstance(event, WaitFinished):
            self.waited += event.seconds
        if not isinstance(event, AttemptFinished):
            return
        self.calls += 1
        self.received += event.received
        self.spent += event.seconds
        self.retried += event.attempt > 1
        if event.status is not None and event.status < _BAD:
            self.succeeded += 1
            if event.attempt > 1:
                self._failing.pop(event.request_id, None)
            return
        self.refused += event.status == _TOO_MANY
        self.errors += event.status != _TOO_MANY and not event.cancelled
        if event.attempt == 1:
            self._failing[event.request_id] = self.succeeded
            if len(self._failing) > _KEPT:  # of calls whose outcome nobody wanted
                del self._failing[next(iter(self._failing))]
