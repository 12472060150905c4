"""Pacing of operations that the platform limits by themselves, for each caller apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from difflib import get_close_matches

import attrs

from itwin_async._arguments import instance, invalid
from itwin_async._http.credentials import Credentials
from itwin_async._http.limiter import Limiter
from itwin_async.errors import ArgumentError
from itwin_async.quota import Quota

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]

_WINDOW = 60.0  # all documented limits but one are for a minute
_LEAST = 5  # the smallest documented limit, in calls a minute
_FORGET = 600.0
_MANY = 1000
_ALIKE = 0.7
_SAME = 0.85


class OperationLimiter:
    """
    Paces the calls of one operation by one caller, beside the session's own pacing.

    Without a quota it is open until a 429 comes; from then on it allows as many calls a minute as
    were accepted in the minute before.
    """

    def __init__(self, quota: Quota | None, *, clock: Clock, sleep: Sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._is_known = quota is not None
        self._limiter = self._paced(quota) if quota else None
        self._accepted: deque[float] = deque()
        self._used = self._learned = clock()
        self.waiting = 0

    @property
    def held_until(self) -> float:
        """When the latest hold ends or ended, by the clock."""
        return self._limiter.held_until if self._limiter else 0.0

    @property
    def held(self) -> float:
        """Seconds until calls may go again after a 429; 0 if none is waited for."""
        return self._limiter.held if self._limiter else 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing would change if it began anew."""
        return not self.waiting and self._clock() - self._used > _FORGET

    async def enter(self, wait_limit: float, caller: str = "", priority: int = 0) -> bool:
        """Wait for this call's turn; ``False`` if it is further off than ``wait_limit`` seconds."""
        end = self._clock() + wait_limit
        self.waiting += 1
        try:
            while True:
                self._used = now = self._clock()
                limiter = self._limiter
                if limiter is not None and not await limiter.enter(end - now, caller, priority):
                    return False
                if limiter is self._limiter:  # a 429 has not changed the pace meanwhile
                    self._count(self._clock())
                    return True
        finally:
            self.waiting -= 1

    def hold(self, seconds: float, sent: float) -> None:
        """Let no call go for some seconds, because one that was sent at ``sent`` met a 429."""
        now = self._clock()
        if not self._is_known:
            with suppress(ValueError):
                self._accepted.remove(max(entered for entered in self._accepted if entered <= sent))
            count = sum(now - moment <= _WINDOW for moment in self._accepted)
            seconds = max(seconds, self.held)
            self._limiter = self._paced(Quota(max(_LEAST, count), per_seconds=_WINDOW, burst=1))
            self._learned = now
        if self._limiter is not None:
            self._limiter.hold(seconds, sent)

    def _count(self, now: float) -> None:
        if self._is_known:
            return
        self._accepted.append(now)
        while now - self._accepted[0] > _WINDOW:
            self._accepted.popleft()
        if self._limiter is not None and now - self._learned > _FORGET:
            self._limiter = None

    def _paced(self, quota: Quota) -> Limiter:
        return Limiter(quota, clock=self._clock, sleep=self._sleep)


@attrs.frozen(eq=False)
class _Kept:
    """A limiter, and who it is for, so that nobody else gets the same number."""

    limiter: OperationLimiter
    caller: object


class OperationLimits:
    """
    The limiters of operations with limits of their own.

    Args:
        quotas: known limits of operations, by the names of their functions.
        clock: monotonic clock in seconds.
        sleep: coroutine function that waits for some seconds.

    """

    def __init__(self, quotas: Mapping[str, Quota], *, clock: Clock, sleep: Sleep) -> None:
        self.quotas = quotas
        self._clock = clock
        self._sleep = sleep
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._checked: set[str] = set()

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return sum(kept.limiter.waiting for kept in self._kept.values())

    def check_names(self, api: str, known: Collection[str]) -> None:
        """
        Check the quotas against the operations of an API, at its first use: none is above it here.

        Raises:
            ArgumentError: there is no such operation.

        """
        if api in self._checked:
            return
        for name in self.quotas.keys() - known:
            wing, _, function = name.partition(".")
            meant = f"{api}.{function}"
            if wing == api or (meant in known and get_close_matches(wing, [api], 1, _SAME)):
                near = get_close_matches(meant, known, 1, _ALIKE)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ArgumentError(
                    f"quotas: there is no operation {name!r}{hint}", argument="quotas"
                )
        self._checked.add(api)

    def limiter_of(self, operation: str, credentials: Credentials) -> OperationLimiter:
        """Find the limiter of an operation for who sends the credentials."""
        key = operation, credentials.caller
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= _MANY:
                self._kept = {
                    each: kept for each, kept in self._kept.items() if not kept.limiter.is_idle
                }
            quota = self.quotas.get(operation)
            limiter = OperationLimiter(quota, clock=self._clock, sleep=self._sleep)
            kept = self._kept[key] = _Kept(limiter, credentials)
        return kept.limiter


def checked_quotas(quotas: object) -> dict[str, Quota]:
    """Check quotas by names of operations; ``None`` for none."""
    if quotas is None:
        return {}
    found = instance("quotas", quotas, Mapping, "a mapping of operations to quotas")  # type: ignore[type-abstract]
    for name, quota in found.items():
        if not isinstance(name, str) or len(name.split(".")) != 2:  # noqa: PLR2004
            raise invalid("quotas", name, "names of operations, such as 'imodels.create_imodel'")
        instance("quotas", quota, Quota, "a mapping of operations to Quota values")
    return dict(found)
