"""The chapter on web backends, taken at its word."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from documents import ROOT, blocks, execute, text

import itwin_async
from itwin_async.emulator import EmulatorThread

CHAPTER = text("docs/web-backends.md")
SNIPPETS = blocks("docs/web-backends.md", "python")


@pytest.fixture
def platform() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=2, imodels=250) as emulator:
        yield emulator


async def test_every_snippet_runs(
    platform: EmulatorThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(SNIPPETS) >= 6
    sent: list[str] = []
    renewed: list[str] = []

    async def send(text: str) -> None:
        sent.append(text)

    async def renew(refresh_token: str) -> str:
        renewed.append(refresh_token)
        return platform.token_for("demo", fresh=True)

    names: dict[str, Any] = {
        "asyncio": asyncio,
        "base_url": platform.base_url,
        "itwin_id": next(iter(platform.state.itwins)),
        "renew": renew,
        "send": send,
        "user_token": platform.token,
    }
    async with itwin_async.Session(platform.token, base_url=platform.base_url) as session:
        for snippet in SNIPPETS:
            names["session"] = session
            await execute("docs/web-backends.md", snippet, names)
    assert renewed == ["refresh-token-of-ann"]
    assert names["first"].id == names["itwin_id"]
    printed = capsys.readouterr().out.splitlines()
    assert printed == [*(itwin.display_name for itwin in platform.state.itwins.values()), "1"]
    # A page for each of two streams of three pages.
    assert [len(text.splitlines()) for text in sent] == [100, 100, 50] * 2


def test_the_table_of_errors_is_what_the_examples_do() -> None:
    rows = re.findall(r"^\| (`\w+Error`.*?) \| (.*?) \|", CHAPTER, re.MULTILINE)
    told = {name: answer for names, answer in rows for name in re.findall(r"\w+Error", names)}
    roots = {"ITwinError", "ApiError", "RequestError"}
    known = {name for name in itwin_async.__all__ if name.endswith("Error")} - roots
    assert set(told) == known
    for example in ("aiohttp_app", "fastapi_app"):
        status_of = importlib.import_module(f"examples.{example}").status_of
        for name, answer in told.items():
            error = made(getattr(itwin_async, name))
            status = status_of(error)
            assert str(status) in answer or "error.status" in answer, name


def made(cls: type[itwin_async.ITwinError]) -> itwin_async.ITwinError:
    statuses = {
        "AuthenticationError": 401,
        "PermissionDeniedError": 403,
        "NotFoundError": 404,
        "ConflictError": 409,
        "InvalidRequestError": 422,
        "RateLimitError": 429,
        "ServerError": 500,
    }
    if issubclass(cls, itwin_async.ApiError):
        return cls("x", status=statuses[cls.__name__])
    if cls is itwin_async.ArgumentError:
        return itwin_async.ArgumentError("x")
    if cls is itwin_async.OperationFailedError:
        return itwin_async.OperationFailedError("x", id="y", state="failed")
    if cls is itwin_async.TransportError:
        return itwin_async.TransportError("x", sent=True)
    return cls("x")


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", CHAPTER):
        assert (ROOT / "docs" / target).exists(), target
