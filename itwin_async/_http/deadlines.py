"""Deadlines of attempts and waits, on one timer: one each would cost a tenth of a request."""

from __future__ import annotations

import asyncio
import math

from itwin_async.errors import ConfigurationError

_PAUSE = 0.01


class Deadlines:
    """Cancels the tasks whose attempt or wait takes too long, and all of them when it closes."""

    __slots__ = ("_due", "_late", "_loop", "_running", "_timer", "closed")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.closed = False
        self._loop = loop
        self._running: dict[asyncio.Task[object], tuple[float, int]] = {}
        self._late: dict[asyncio.Task[object], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf

    def start(self, seconds: float) -> asyncio.Task[object]:
        """Set the deadline of the current task, in seconds from now; hand the task to ``stop``."""
        task = asyncio.current_task()
        if task is None:
            raise ConfigurationError("requests must be made inside an asyncio task")
        moment = self._loop.time() + seconds
        self._running[task] = (moment, task.cancelling())
        if moment < self._due:
            self._arm(moment)
        return task

    def extend(self, task: asyncio.Task[object], seconds: float) -> None:
        """Move the deadline of a task, in seconds from now; one that has passed stays so."""
        running = self._running.get(task)
        if running is not None:
            self._running[task] = (self._loop.time() + seconds, running[1])

    def stop(self, task: asyncio.Task[object]) -> None:
        """Drop the deadline of a task."""
        self._running.pop(task, None)
        self._late.pop(task, None)

    def is_late(self, task: asyncio.Task[object]) -> bool:
        """Tell whether a cancellation came from the deadline alone, and take it back then."""
        before = self._late.pop(task, None)
        return before is not None and task.uncancel() <= before

    def is_cancelled(self, task: asyncio.Task[object]) -> bool:
        """
        Tell whether somebody else cancelled a task since its deadline was set.

        A task may have been cancelled before, and gone on: a failed task group leaves such a mark.
        """
        started = self._running.get(task)
        return started is None or task.cancelling() > started[1]

    def close(self) -> None:
        """Cancel all tasks that have a deadline, as if they were late."""
        self.closed = True
        self._disarm()
        for task in list(self._running):
            self._cancel(task)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._due = None, math.inf

    def _arm(self, moment: float) -> None:
        self._disarm()
        self._timer, self._due = self._loop.call_at(moment, self._tick), moment

    def _tick(self) -> None:
        self._timer, self._due = None, math.inf
        now = self._loop.time()
        for task in [task for task, (moment, _) in self._running.items() if moment <= now]:
            self._cancel(task)
        if self._running:
            # Each look is at all of them: many that end one after another are ended by the handful.
            self._arm(max(min(self._running.values())[0], now + _PAUSE))

    def _cancel(self, task: asyncio.Task[object]) -> None:
        _, before = self._running.pop(task)
        if task.cancelling() <= before:  # otherwise somebody else's cancellation is on its way
            self._late[task] = before
            task.cancel()
