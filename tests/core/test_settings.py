"""The settings of a session, wherever they are given."""

from __future__ import annotations

import gc
import inspect
from typing import Any

import pytest
from doubles import CannedServer

from itwin_async import Converter, Quota, RetryPolicy, Session, Timeout, imodels
from itwin_async.events import Event
from itwin_async.settings import Settings

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"


def test_from_env_takes_every_setting() -> None:
    parameters = inspect.signature(Session).parameters
    named = {name: parameter for name, parameter in parameters.items() if name != "token"}
    assert set(Settings.__annotations__) == set(named)
    for name, parameter in named.items():
        assert Settings.__annotations__[name].__forward_arg__ == parameter.annotation


async def test_from_env_honours_settings(
    canned: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "token-of-the-environment")
    monkeypatch.setenv("ITWIN_BASE_URL", "https://elsewhere.example")
    events: list[Event] = []
    async with Session.from_env(
        base_url=canned.base_url,
        timeout=Timeout(total=5),
        retry=RetryPolicy(retries=0),
        quota=Quota(1000),
        user_agent="mine/1",
        observers=[events.append],
        converter=Converter(),
    ) as session:
        await session.request("GET", "/x")
    assert canned.seen[0].token == "token-of-the-environment"
    assert canned.seen[0].headers["User-Agent"].startswith("mine/1 ")
    assert len(events) == 1


async def test_observers_may_come_for_a_while(canned: CannedServer) -> None:
    events: list[Event] = []
    async with Session("t", base_url=canned.base_url) as session:
        view = session.with_token("other")
        with session.observe(events.append):
            await view.request("GET", "/x")
        await session.request("GET", "/y")
    assert len(events) == 1
    assert session.waiting == 0


@pytest.mark.parametrize("pause", [True, False])
async def test_the_collector_is_paused_only_if_that_is_wanted(
    canned: CannedServer, monkeypatch: pytest.MonkeyPatch, *, pause: bool
) -> None:
    canned.script({"iModels": [{"id": "a"}]})
    calls: list[str] = []
    disable: Any = gc.disable

    def note() -> None:
        calls.append("disable")
        disable()

    monkeypatch.setattr(gc, "disable", note)
    async with Session("t", base_url=canned.base_url, pause_collector=pause) as session:
        assert len(await imodels.list_favorites(session, GUID).collect()) == 1
    assert calls == (["disable"] if pause else [])
    assert gc.isenabled()
