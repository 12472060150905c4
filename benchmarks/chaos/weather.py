"""The faults that fire, all drawn from one seed."""

from __future__ import annotations

import random

import attrs

from itwin_async.emulator import Fault

PATIENT = "patient"
"""
Users of this name go on behind an error; a walk that goes on has not seen the pages before it, so
that only theirs must not be led back to the first page.
"""

_PAGES = "GET /**"


def faults(seed: int, users: list[str]) -> list[Fault]:
    """
    Draw faults that together hit about a fifth of all requests.

    None of them shortens a list in a way that nobody could notice.
    """
    rng = random.Random(seed)
    found = [
        Fault(match="*", status=429, retry_after=1, headers={"x-fault": "429"}),
        Fault(match="*", status=429),
        *(Fault(match="*", status=status) for status in (500, 502, 503, 504)),
        Fault(match="*", status=503, retry_after=1),
        Fault(match="*", drop="before"),
        Fault(match="*", drop="middle"),
        Fault(match="*", drop="after"),
        Fault(match=_PAGES, truncate=round(rng.uniform(0.05, 0.95), 3)),
        Fault(match=_PAGES, truncate=0.5, drop="middle"),
        Fault(match=_PAGES, malformed=True),
        Fault(match=_PAGES, content_type="text/html"),
        Fault(match=_PAGES, body=b"<html>gateway</html>", content_type="text/html"),
        Fault(match=_PAGES, body=b""),
        Fault(match=_PAGES, next="foreign"),
        Fault(match=_PAGES, next="duplicate"),
        *(
            Fault(match=_PAGES, next="loop", user=user)
            for user in users
            if not user.startswith(PATIENT)
        ),
        Fault(match=_PAGES, expire_continuation=True),
        Fault(match="*", latency=(0.0, 0.05)),
        Fault(match="*", latency=2.0),
        Fault(match=_PAGES, trickle=200, tick=0.001),
    ]
    rng.shuffle(found)
    return [
        attrs.evolve(
            fault,
            times=None,
            seed=rng.randrange(2**32),
            probability=rng.uniform(0.002, 0.015),
        )
        for fault in found
    ]
