"""How many calls the platform allows."""

from __future__ import annotations

import attrs

from itwin_async._arguments import finite, invalid

# A network that delays one call and hurries the next must not make a window too full.
_SPARE = 0.01
_UNEVEN = 0.02  # seconds
_MOST_SPARE = 0.05


def _fitting(quota: Quota, attribute: attrs.Attribute[float], value: object) -> None:
    finite(quota, attribute, value)
    if not 1 <= quota.burst <= max(1, quota.requests):
        raise invalid(attribute.name, value, "a number from 1 up to requests")


def _few(requests: object) -> float:
    try:
        return max(1.0, requests * 0.04) if isinstance(requests, int | float) else 1.0
    except OverflowError:
        return 1.0  # the number itself is refused


@attrs.frozen
class Quota:
    """
    How many calls the platform allows a client, for instance ``Quota(500, per_seconds=60)``.

    Args:
        requests: calls in a window.
        per_seconds: length of the window, in seconds.
        burst: calls that the platform takes at once after a rest, 1 up to ``requests``. Half of
            them go at once, since a bucket that was emptied refuses what the network hurries; the
            others go at an even pace. Any window still holds at most ``requests``. By default 4 %
            of ``requests``.

    """

    requests: float = attrs.field(validator=finite)
    per_seconds: float = attrs.field(default=60.0, validator=finite)
    burst: float = attrs.field(
        default=attrs.Factory(lambda quota: _few(quota.requests), takes_self=True),
        validator=_fitting,
    )

    @property
    def interval(self) -> float:
        """Seconds between two calls of an even pace."""
        return self.per_seconds / max(min(1, self.requests), self.requests - self._spare)

    @property
    def at_once(self) -> float:
        """How many calls go at once after a rest."""
        return max(1.0, self.burst / 2)

    @property
    def most(self) -> int:
        """How many calls may go in a window."""
        uneven = min(_UNEVEN / self.per_seconds, _MOST_SPARE) * self.requests
        return max(1, int(self.requests - self._spare - uneven))

    @property
    def _spare(self) -> float:
        return min(1.0, _SPARE * self.requests) + _SPARE * self.requests


def parse_quota(text: str) -> Quota:
    """
    Read a quota that is written as calls and seconds, such as ``500/60``; without seconds a minute.

    Raises:
        ValueError: it is no such text.

    """
    calls, _, seconds = text.partition("/")
    return Quota(float(calls), per_seconds=float(seconds or 60))
