"""How many calls the platform allows, and who paces them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

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


@runtime_checkable
class Pacer(Protocol):
    """
    Paces calls instead of a session's own limiter, for several sessions, processes or machines.

    ``Session(quota=pacer)`` asks it before each attempt, one call at a time: whose turn it is
    within the session stays the session's business. Moments are told as ages, since the clocks of
    machines differ. What it raises ends the call, as a ``TransportError`` of the kind ``"pacer"``
    unless it is an ``ITwinError``.

    A pacer that learns a rate may have a method ``accept(age: float) -> None`` too: then it is told
    of each call that met no 429, and how long ago it was sent.
    """

    async def enter(self, wait_limit: float) -> bool:
        """
        Wait until the next call may go; ``False`` if that is further off than ``wait_limit``.

        A call that was let go may yet not be sent: its task may be cancelled meanwhile.

        Args:
            wait_limit: the longest wait, in seconds; may be infinite.

        """
        ...

    def hold(self, seconds: float, age: float) -> None:
        """
        Let no call go for some seconds, because one met a 429.

        Args:
            seconds: how long calls wait from now on.
            age: how long ago the call that met the 429 was sent, in seconds.

        """
        ...


def parse_quota(text: str) -> Quota:
    """
    Read a quota that is written as calls and seconds, such as ``500/60``; without seconds a minute.

    Raises:
        ValueError: it is no such text.

    """
    calls, _, seconds = text.partition("/")
    return Quota(float(calls), per_seconds=float(seconds or 60))
