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
        # The one place of the harvest that needs the session's inside: to observe a session that
        # is open already, and to see how many calls wait for the quota.
        self._core = session._core  # noqa: SLF001
        self.calls = 0
        self.refused = 0

    @property
    def waiting(self) -> int:
        """Calls that wait for the quota at this moment."""
        return self._core.pacer.waiting

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count inside the block."""
        self._core.observers = (*self._core.observers, self._observe)
        try:
            yield
        finally:
            self._core.observers = tuple(
                observer for observer in self._core.observers if observer != self._observe
            )

    def _observe(self, event: Event) -> None:
        if isinstance(event, AttemptFinished):
            self.calls += 1
            self.refused += event.status == _TOO_MANY
