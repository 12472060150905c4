"""Views with options of their own: time-outs, retries, priority."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from doubles import CannedServer, FakeClock, Seen, refusal, refused

from itwin_async import (
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
    Session,
    Timeout,
    TransportError,
    imodels,
)

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
PAGE: dict[str, Any] = {
    "iModels": [{"id": "m", "displayName": "M"}],
    "_links": {"next": {"href": f"https://api.bentley.com/imodels/favorites?iTwinId={GUID}&a=2"}},
}


async def test_a_time_out_is_that_of_the_view(canned: CannedServer) -> None:
    async def late(seen: Seen) -> dict[str, Any]:
        await asyncio.sleep(30)
        return {}

    canned.respond = late
    once = RetryPolicy(retries=0)
    async with Session("t", base_url=canned.base_url) as session:
        for limits in (0.05, Timeout(attempt=0.05, connect=1)):
            view = session.with_options(timeout=limits, retry=once)
            with pytest.raises(TransportError) as caught:
                await imodels.get_imodel(view, "m")
            assert caught.value.timeout
        plain = asyncio.create_task(imodels.get_imodel(session, "m"))
        await asyncio.sleep(0.2)
        assert not plain.done()
        plain.cancel()


async def test_retries_are_those_of_the_view_in_the_sessions_time(
    canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(503)
    policy = RetryPolicy(retries=2, clock=clock, sleep=clock.sleep)
    async with Session("t", base_url=canned.base_url, retry=policy) as session:
        for retry, count in ((None, 3), (RetryPolicy(retries=0), 1), (RetryPolicy(retries=5), 6)):
            canned.seen.clear()
            with pytest.raises(ServerError):
                await imodels.get_imodel(session.with_options(retry=retry), "m")
            assert len(canned.seen) == count
    assert len(clock.sleeps) == 2 + 0 + 5  # none of them in real time


async def test_pagers_take_the_view_to_every_page(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(PAGE, 503)
    policy = RetryPolicy(retries=9, clock=clock, sleep=clock.sleep)
    async with Session("t", base_url=canned.base_url, retry=policy, rewrite_links=True) as session:
        view = session.with_options(retry=RetryPolicy(retries=1))
        for pager in (
            imodels.list_favorites(view, GUID),
            imodels.list_favorites(view, GUID).full(),
        ):
            canned.seen.clear()
            canned.script(PAGE, 503)
            with pytest.raises(ServerError) as caught:
                await pager.collect()
            assert caught.value.cursor
            assert len(canned.seen) == 1 + 2


async def test_users_and_options_can_be_combined(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(503)
    policy = RetryPolicy(retries=4, clock=clock, sleep=clock.sleep)
    none = RetryPolicy(retries=0)
    async with Session("t", base_url=canned.base_url, retry=policy) as session:
        for view in (
            session.with_options(retry=none).with_token("ann"),
            session.with_token("ann").with_options(retry=none),
            session.with_token("ann").with_options(retry=none).with_options(timeout=5, priority=1),
        ):
            canned.seen.clear()
            with pytest.raises(ServerError):
                await imodels.get_imodel(view, "m")
            assert [seen.token for seen in canned.seen] == ["ann"]
            await view.close()
            assert not session.closed


async def test_a_token_that_a_view_renewed_is_new_for_all(canned: CannedServer) -> None:
    tokens = iter(["old", "new", "newer"])

    class Provider:
        current = next(tokens)

        async def get_token(self) -> str:
            return self.current

        def invalidate(self, token: str) -> None:
            assert token == self.current
            self.current = next(tokens)

    canned.respond = lambda seen: refusal(401) if seen.token == "old" else {"iModel": {"id": "m"}}
    async with Session(Provider(), base_url=canned.base_url) as session:
        view = session.with_options(timeout=5)
        both = imodels.get_imodel(view, "m"), imodels.get_imodel(session, "m")
        await asyncio.gather(*both)
    assert sorted(seen.token for seen in canned.seen) == ["new", "new", "old", "old"]


async def test_strange_options_are_refused_before_any_request(canned: CannedServer) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        for name, values in {
            "timeout": (0, -1, "5", True, float("nan"), [5]),
            "retry": (3, "no", Timeout()),
            "priority": (11, -11, 0.5, "high", True),
        }.items():
            for value in values:
                options: dict[str, Any] = {name: value}
                with refused(name):
                    session.with_options(**options)
    assert canned.seen == []


async def test_an_option_that_is_not_given_stays(canned: CannedServer) -> None:
    canned.script(refusal(403))
    async with Session("t", base_url=canned.base_url, timeout=Timeout(attempt=0.05)) as session:
        view = session.with_options()
        with pytest.raises(PermissionDeniedError):
            await imodels.get_imodel(view, "m")
        canned.respond = lambda _: asyncio.sleep(30, {})
        with pytest.raises(TransportError) as caught:
            await imodels.get_imodel(
                view.with_options(timeout=20, retry=RetryPolicy(retries=0)), "m"
            )
        assert caught.value.timeout
