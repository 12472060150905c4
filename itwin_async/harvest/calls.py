"""Counts the calls of a harvest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from itwin_async.events import AttemptFinished, Event
from itwin_async.session import Session

_TOO_MANY = 429


class CallCounter:
    """Counts what a session does during a harvest."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.calls = 0
        self.refused = 0

    @property
    def waiting(self) -> int:
        """Calls that wait for the quota at this moment."""
        return self._session.waiting

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count inside the block."""
        with self._session.observe(self._observe):
            yield

    def _observe(self, event: Event) -> None:
        if isinstance(event, AttemptFinished):
            self.calls += 1
            self.refused += event.status == _TOO_MANY
