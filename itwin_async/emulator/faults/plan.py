"""The plan of faults: which are set, and which applies to a request."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager
from typing import Self

from itwin_async.emulator.faults.fault import Fault
from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.request_log import RecordedRequest
from itwin_async.emulator.wanted import Wanted


class SetFault:
    """
    A fault of the plan, and how often it applied.

    Args:
        fault: what goes wrong.
        plan: the plan.
        number: its number in the plan; faults with equal seeds have independent random streams.

    """

    def __init__(self, fault: Fault, plan: FaultPlan, number: int) -> None:
        self.fault = fault
        self.number = number
        self._plan = plan
        self.matched = 0
        self.applied = 0
        self._random = random.Random(f"{fault.seed}/{number}")  # noqa: S311 - repeatable faults
        self._wanted = Wanted(
            match=fault.match,
            query=fault.query,
            headers=fault.request_headers,
            json=fault.request_json,
            user=fault.user,
        )

    def __enter__(self) -> Self:
        """Give the entry of a fault that is set while a block runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the fault."""
        self.remove()

    def __repr__(self) -> str:
        return f"<{self.fault.describe()}, applied to {self.applied} of {self.matched}>"

    def remove(self) -> None:
        """Remove the fault from the plan, if it is still there."""
        self._plan.remove(self)

    def due(self, request: RecordedRequest) -> bool:
        """Count a request, and say whether the fault is due for it."""
        fault = self.fault
        if not self._wanted.fits(request):
            return False
        seen = self.matched
        self.matched += 1
        if seen < fault.after or self.done:
            return False
        if fault.every is not None and (seen - fault.after) % fault.every >= fault.burst:
            return False
        return fault.probability >= 1 or self._random.random() < fault.probability

    def wait(self) -> float:
        """Seconds to wait before the work."""
        latency = self.fault.latency
        if isinstance(latency, tuple):
            return self._random.uniform(*latency)
        return float(latency)

    def json(self) -> JsonObject:
        """Return the fault as the control interface shows it."""
        return {
            "id": self.number,
            "fault": self.fault.describe(),
            "match": self.fault.match,
            "matched": self.matched,
            "applied": self.applied,
            "done": self.done,
        }

    @property
    def done(self) -> bool:
        """Whether it will never apply again."""
        return self.fault.times is not None and self.applied >= self.fault.times


class FaultPlan:
    """
    The faults that are set.

    Args:
        lock: held while it changes.

    """

    def __init__(self, lock: AbstractContextManager[object]) -> None:
        self.entries: list[SetFault] = []
        self._lock = lock
        self._made = 0

    def add(self, fault: Fault) -> SetFault:
        """Set a fault."""
        with self._lock:
            entry = SetFault(fault, self, self._made)
            self._made += 1
            self.entries.append(entry)
            return entry

    def remove(self, entry: SetFault) -> None:
        """Remove a fault, if it is there."""
        with self._lock:
            self.entries = [other for other in self.entries if other is not entry]

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self.entries.clear()
            self._made = 0

    def pick(self, request: RecordedRequest, *, signing_in: bool = False) -> SetFault | None:
        """
        Return the fault that applies to a request.

        Args:
            request: the request.
            signing_in: whether the sign-in server is asked, which `*` alone does not match.

        """
        chosen: SetFault | None = None
        for entry in self.entries:
            if signing_in and entry.fault.match == "*":
                continue
            if entry.due(request) and chosen is None:
                chosen = entry
                entry.applied += 1
        return chosen
