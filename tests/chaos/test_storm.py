from __future__ import annotations

import pytest

from benchmarks.chaos.jobs import JOBS
from benchmarks.chaos.run import run
from itwin_async import PaginationError, Session, itwins
from itwin_async.emulator import Emulator, Fault


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_everything_is_true_or_a_typed_error(seed: int) -> None:
    for seconds in (1, 4, 16, 64):  # a busy machine needs longer for as many faults
        outcome = await run(seed, seconds=seconds, concurrency=80)
        if outcome.faults > 100 and len(outcome.jobs) == len(JOBS):
            break
    assert outcome.wrong == []
    assert set(outcome.jobs) == {job.__name__ for job, _ in JOBS}
    assert outcome.faults > 100
    assert {"DecodeError", "PaginationError"} <= set(outcome.errors)


@pytest.mark.slow
async def test_a_storm_that_lies_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list cut short without a trace is what no client can see; the comparison has to."""
    lie = Fault(match="GET /**", times=None, next="missing")
    monkeypatch.setitem(run.__globals__, "faults", lambda seed, users: [lie])
    outcome = await run(3, seconds=0.5, concurrency=10)
    assert any("items, not" in line for line in outcome.wrong)


@pytest.mark.parametrize("page_size", [1, 4])
async def test_a_link_back_to_the_first_page_is_a_loop(page_size: int) -> None:
    """The platform's own address of the first page differs from the one that was asked for."""
    async with (
        Emulator() as emulator,
        Session(emulator.token, base_url=emulator.base_url) as session,
    ):
        emulator.fault(Fault(match="GET /itwins/favorites", next="loop"))
        with pytest.raises(PaginationError, match="visited before"):
            await itwins.list_favorites(session, page_size=page_size).collect()
        assert len(await itwins.list_favorites(session, page_size=page_size).collect()) == 10
