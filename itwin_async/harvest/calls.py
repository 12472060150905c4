"""Counts the calls of a harvest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from itwin_async.events import AttemptFinished, Event
from itwin_async.session import Session

_REFUSED = 429


class CallCounter:
    """Counts what a session does while it is watched."""

    def __init__(self, session: Session) -> None:
        self._core = session._core  # noqa: SLF001 - the house's own
        self.calls = 0
        self.refused = 0

    @property
    def waiting(self) -> int:
        """Calls that wait for the quota at this moment."""
        return self._core.pacer.waiting

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count for a while."""
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
            self.refused += event.status == _REFUSED
