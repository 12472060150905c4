"""One timer for all running attempts: a timer for each would cost a tenth of a request."""

from __future__ import annotations

import asyncio

from itwin_async.errors import ConfigurationError


class Watch:
    """
    Cancels attempts and waits that take too long, and all of them when the session closes.

    Args:
        loop: the session's event loop.

    """

    __slots__ = ("_late", "_loop", "_running", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running: dict[asyncio.Task[object], tuple[float, int]] = {}
        self._late: dict[asyncio.Task[object], int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float) -> asyncio.Task[object]:
        """
        Watch the current task.

        Args:
            seconds: how long from now until it is cancelled.

        Returns:
            The task, to be handed to ``stop``.

        """
        task = asyncio.current_task()
        if task is None:
            raise ConfigurationError("requests must be made inside an asyncio task")
        moment = self._loop.time() + seconds
        self._running[task] = (moment, task.cancelling())
        if self._timer is None or moment < self._timer.when():
            self._arm(moment)
        return task

    def stop(self, task: asyncio.Task[object]) -> None:
        """
        Watch a task no longer.

        Args:
            task: what ``start`` returned.

        """
        self._running.pop(task, None)
        self._late.pop(task, None)

    def is_late(self, task: asyncio.Task[object]) -> bool:
        """
        Tell whether a cancellation that arrived is this watch's alone, and take it back then.

        Args:
            task: what ``start`` returned.

        Returns:
            Whether the attempt took too long and nobody else cancelled the task.

        """
        before = self._late.pop(task, None)
        return before is not None and task.uncancel() <= before

    def is_cancelled(self, task: asyncio.Task[object]) -> bool:
        """
        Tell whether somebody else cancelled a task since it is watched.

        A task may have been cancelled before, and gone on: a failed task group leaves such a mark.

        Args:
            task: what ``start`` returned.

        Returns:
            Whether a cancellation is its own, and not just that of something it waits for.

        """
        watched = self._running.get(task)
        return watched is None or task.cancelling() > watched[1]

    def close(self) -> None:
        """End everything that is watched, as if it were late."""
        self._disarm()
        for task in list(self._running):
            self._cancel(task)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, moment: float) -> None:
        self._disarm()
        self._timer = self._loop.call_at(moment, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        for task in [task for task, (moment, _) in self._running.items() if moment <= now]:
            self._cancel(task)
        if self._running:
            self._arm(min(self._running.values())[0])

    def _cancel(self, task: asyncio.Task[object]) -> None:
        _, before = self._running.pop(task)
        if task.cancelling() <= before:  # otherwise somebody else's cancellation is on its way
            self._late[task] = before
            task.cancel()
