"""The pace of harvests on a cluster, kept by its scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
from distributed.diagnostics.plugin import SchedulerPlugin

from itwin_async.errors import ConfigurationError
from itwin_async.pacing import LocalPacer
from itwin_async.quota import Quota

if TYPE_CHECKING:
    from distributed.scheduler import Scheduler

PREFIX = "itwin_async_"
"""What the names of the scheduler's handlers begin with."""


@attrs.define(eq=False)
class _Limit:
    quota: tuple[float, ...] | None
    pacer: LocalPacer
    runs: set[str] = attrs.Factory(set)


class PacingPlugin(SchedulerPlugin):  # type: ignore[misc, unused-ignore]
    """
    Hosts the pacers of harvests.

    Harvests with the same limit share one. A harvest ends with its client at the latest, and then
    its workers are told so instead of being let go.
    """

    name = "itwin-async-pacing"
    idempotent = True

    def __init__(self) -> None:
        self._limits: dict[str, _Limit] = {}
        self._runs: dict[str, tuple[str, str]] = {}
        self._scheduler: Scheduler | None = None

    async def start(self, scheduler: Scheduler) -> None:
        """Answer what clients and workers ask."""
        self._scheduler = scheduler
        for handler in (self.begin, self.end, self.enter, self.hold, self.state):
            scheduler.handlers[f"{PREFIX}{handler.__name__}"] = handler

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """End the harvests of a client that is gone."""
        del scheduler
        for run in [run for run, (_, owner) in self._runs.items() if owner == client]:
            self.end(run)

    def begin(self, run: str, client: str, limit: str, quota: Sequence[float] | None) -> None:
        """
        Begin a harvest.

        Raises:
            ConfigurationError: another harvest that runs has the same limit with another quota.

        """
        told = None if quota is None else tuple(quota)
        kept = self._limits.get(limit)
        if kept is not None and kept.quota != told and kept.runs:
            raise ConfigurationError(
                f"another harvest on this cluster has another quota for {limit}; give the same, or "
                "another limit"
            )
        if kept is None or kept.quota != told:
            known = None if told is None else Quota(told[0], told[1], told[2])
            kept = self._limits[limit] = _Limit(told, LocalPacer(known))
        kept.runs.add(run)
        self._runs[run] = limit, client

    def end(self, run: str) -> None:
        """End a harvest."""
        limit, _ = self._runs.pop(run, ("", ""))
        if limit in self._limits:
            self._limits[limit].runs.discard(run)

    async def enter(
        self, run: str, wait_limit: float, caller: str, accepted: Sequence[float]
    ) -> bool | None:
        """Let a call go; ``None`` where the harvest has ended."""
        pacer = self._pacer(run)
        if pacer is None:
            return None
        for age in accepted:
            pacer.accept(age)
        granted = await pacer.enter(wait_limit, caller=caller)
        return granted if run in self._runs else None

    def hold(self, run: str, seconds: float, age: float) -> None:
        """Hold the calls of all who share the limit."""
        pacer = self._pacer(run)
        if pacer is not None:
            pacer.hold(seconds, age)

    def state(self, run: str) -> dict[str, int] | None:
        """Tell how many workers there are and how many calls wait; ``None`` after the end."""
        pacer = self._pacer(run)
        if pacer is None or self._scheduler is None:
            return None
        return {"workers": len(self._scheduler.workers), "waiting": pacer.waiting}

    def _pacer(self, run: str) -> LocalPacer | None:
        known = self._runs.get(run)
        return None if known is None else self._limits[known[0]].pacer
