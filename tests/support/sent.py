"""What the tests of the wings share about requests to a canned server."""

from __future__ import annotations

from urllib.parse import parse_qsl

from doubles import CannedServer, FakeClock, Seen

from itwin_async import RetryPolicy, Session

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"


def session_of(canned: CannedServer, clock: FakeClock | None = None) -> Session:
    clock = clock or FakeClock()
    policy = RetryPolicy(clock=clock, sleep=clock.sleep)
    return Session("t", base_url=canned.base_url, retry=policy)


def query_of(seen: Seen) -> dict[str, str]:
    """The query as any server reads it."""
    return dict(parse_qsl(seen.target.partition("?")[2], keep_blank_values=True))
