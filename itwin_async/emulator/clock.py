"""The emulator's time, which a test may move."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class EmulatorClock:
    """
    A clock that starts at real time and runs, unless it is frozen.

    Args:
        start: seconds since the epoch at which it starts; the real time when None.
        frozen: whether only `advance` and `set` move it.

    """

    def __init__(self, start: float | None = None, *, frozen: bool = False) -> None:
        self._start = (start, frozen)
        self.reset()

    def reset(self) -> None:
        """Return to the time and the state of the beginning."""
        start, self._frozen = self._start
        self._base = time.time() if start is None else start
        self._origin = time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        if self._frozen:
            return self._base
        return self._base + time.monotonic() - self._origin

    def advance(self, seconds: float) -> float:
        """Move the clock forward, or back if negative, and return the new time."""
        _check(self.now() + seconds)
        self._base += seconds
        return self.now()

    def set(self, moment: float | datetime) -> float:
        """Set the clock to seconds since the epoch or an aware datetime; return the new time."""
        seconds = moment.timestamp() if isinstance(moment, datetime) else float(moment)
        _check(seconds)
        self._base = seconds
        self._origin = time.monotonic()
        return self.now()

    def freeze(self) -> None:
        """Stop the clock."""
        self._base = self.now()
        self._frozen = True

    def resume(self) -> None:
        """Let the clock run on from where it is."""
        self._base = self.now()
        self._origin = time.monotonic()
        self._frozen = False

    @property
    def frozen(self) -> bool:
        """Whether only `advance` and `set` move it."""
        return self._frozen

    def utcnow(self) -> datetime:
        """Return the time as an aware datetime."""
        return datetime.fromtimestamp(self.now(), UTC)

    def stamp(self, digits: int = 7) -> str:
        """Return the time as the platform writes it, with 3 or 7 fraction digits."""
        return stamp(self.utcnow(), digits)


def _check(seconds: float) -> None:
    try:
        datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{seconds} seconds since the epoch are out of range") from None


def stamp(moment: datetime, digits: int = 7) -> str:
    """Write a moment in UTC with 3 or 7 fraction digits; the seventh is always zero."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return f"{text[:26]}0"[: 20 + digits] + "Z"
