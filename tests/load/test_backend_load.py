from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from benchmarks.backend_load import run, views
from examples import backend

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("backend", ["aiohttp", "fastapi"])
async def test_fifty_users_leave_nothing_behind(backend: str) -> None:
    for seconds in (2.4, 10, 40):  # a busy machine needs longer for as many renewals
        outcome = await run(seconds=seconds, users=50, laps=3, backend=backend)
        assert outcome.wrong == []
        if all(outcome.renewals[side] >= 25 for side in ("browser", "backend")):
            break
    else:
        pytest.fail(f"hardly any token was renewed: {outcome.renewals}")
    assert set(outcome.jobs) == {"whole", "leave", "vanish", "write"}


@pytest.mark.parametrize(
    ("leak", "found"), [("task", "tasks are left"), ("rows", " grew to "), ("log", "oops")]
)
async def test_what_stays_behind_is_found(
    monkeypatch: pytest.MonkeyPatch, leak: str, found: str
) -> None:
    kept: list[object] = []
    plain = backend.ndjson

    def leaky(*values: Mapping[str, object]) -> bytes:
        if leak == "task":
            kept.append(asyncio.ensure_future(asyncio.Event().wait()))
        elif leak == "rows":
            kept.append([[value] for value in values for _ in range(200)])
        else:
            raise RuntimeError("oops")
        return plain(*values)

    monkeypatch.setattr(backend, "ndjson", leaky)
    outcome = await run(seconds=0.6, users=6, laps=2, patience=0.5)
    assert any(found in line for line in outcome.wrong)
    for task in kept:
        if isinstance(task, asyncio.Task):
            task.cancel()


async def test_ten_thousand_views_cost_little_and_leave_nothing() -> None:
    cost = await views(10_000, used=300)
    assert cost.size < 1000
    assert cost.left < 10
