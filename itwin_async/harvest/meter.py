"""Makes the counts of a run out of what is written, what was called, and what is waited for."""

from __future__ import annotations

import time

import attrs

from itwin_async.harvest.calls import CallCounter
from itwin_async.harvest.checkpoint import Totals
from itwin_async.harvest.patience import Patience
from itwin_async.harvest.progress import Progress

_ENOUGH = 3  # lists that tell how long the others take


class Meter:
    """
    Measures one run.

    Args:
        calls: its calls.
        patience: its waits for the platform.

    Attributes:
        led: how many lists whose items have lists are done with.

    """

    def __init__(self, calls: CallCounter, patience: Patience) -> None:
        self.led = 0
        self._calls = calls
        self._patience = patience
        self._before = Totals()
        self._started = time.monotonic()

    def begin(self, totals: Totals) -> None:
        """Take note of what earlier runs did."""
        self._before = attrs.evolve(totals)

    def progress(self, totals: Totals) -> Progress:
        """Tell how far the run is."""
        calls, before = self._calls, self._before
        seconds = time.monotonic() - self._started
        until, reason = self._patience.until, self._patience.reason
        if until is None:
            until = calls.held_until
            reason = "the quota" if until is not None else ""
        expected = self._expected(totals)
        ended = totals.done + totals.failed - before.done
        left = expected - totals.done - totals.failed
        return Progress(
            lists_known=totals.lists,
            lists_done=totals.done,
            lists_failed=totals.failed,
            all_known=not totals.leading,
            items=totals.items,
            new_items=totals.items - before.items,
            calls=calls.calls,
            refused=calls.refused,
            waiting=calls.waiting,
            seconds=seconds,
            bytes=calls.received,
            retried=calls.retried,
            errors=calls.errors,
            quarantined=totals.quarantined,
            waited=calls.waited,
            waiting_until=until,
            waiting_for=reason,
            lists_expected=expected,
            seconds_left=_left(left, ended, seconds),
        )

    def _expected(self, totals: Totals) -> int:
        """Guess how many lists there are from how many each list that led to others led to."""
        if not totals.leading or not self.led:
            return totals.lists
        return totals.lists + round(totals.leading * (totals.lists - self._before.lists) / self.led)


def _left(lists: int, ended: int, seconds: float) -> float | None:
    """Guess how long lists take by how long others took."""
    if not lists:
        return 0.0
    return lists * seconds / ended if ended >= _ENOUGH else None
