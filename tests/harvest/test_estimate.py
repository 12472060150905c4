"""What a harvest will cost, and what Prometheus sees of it."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from list_platform import list_platform

from itwin_async import (
    ArgumentError,
    ConfigurationError,
    PermissionDeniedError,
    Quota,
    RetryPolicy,
    Session,
    harvest,
)
from itwin_async.emulator import Emulator

SOURCE = harvest.favorite_imodels()


async def test_an_estimate_is_what_the_harvest_then_costs(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    found = await harvest.estimate(session, SOURCE, page_size=10)
    assert found.sampled_calls == emulator.request_count
    report = await harvest.run(session, SOURCE, tmp_path / "out.db", page_size=10)
    assert not found.at_least or found.items < report.progress.items
    assert found.lists == report.progress.lists_known == 9
    whole = await harvest.estimate(session, SOURCE)
    assert not whole.at_least
    assert whole.items == report.progress.items
    assert whole.calls == 10
    assert [one.table for one in whole.sources] == [None, "favorite_imodels"]
    assert whole.bytes == pytest.approx(report.progress.bytes, rel=0.2)
    assert whole.calls_a_minute is None
    assert whole.minutes > 0
    data = json.loads(whole.to_json())
    assert data["items"] == whole.items
    assert data["sources"][1]["sampled"] == 8


async def test_several_levels_are_multiplied(tmp_path: Path) -> None:
    sources = harvest.lists("itwins", "imodels", "changesets")
    with list_platform() as platform:
        async with Session("token", base_url=platform.base_url) as session:
            found = await harvest.estimate(session, sources, page_size=1000, samples=2)
            report = await harvest.run(session, sources, tmp_path / "out.db")
    assert {one.name: one.lists for one in found.sources} == {
        "itwins": 1,
        "imodels": 3,
        "changesets": 6,
    }
    assert found.calls == report.progress.calls
    assert found.items == report.progress.items
    assert found.sampled_calls == 1 + 2 + 2


async def test_the_minutes_are_those_of_the_quota(emulator: Emulator) -> None:
    async with Session(
        emulator.token, base_url=emulator.base_url, quota=Quota(600, per_seconds=60)
    ) as paced:
        found = await harvest.estimate(paced, SOURCE, page_size=1)
    assert found.calls_a_minute == pytest.approx(600, rel=0.05)
    assert found.calls_a_minute is not None
    assert found.minutes == pytest.approx(found.calls / found.calls_a_minute)
    assert found.at_least


async def test_lists_that_cannot_be_read_are_counted(emulator: Emulator, session: Session) -> None:
    emulator.fail("GET /imodels/favorites", status=403, times=2)
    found = await harvest.estimate(session, SOURCE)
    assert found.sources[1].failed == 2
    emulator.fail("GET /itwins/favorites", status=403, times=1)
    with pytest.raises(PermissionDeniedError):
        await harvest.estimate(session, SOURCE)


@pytest.mark.parametrize("bad", [{"samples": 0}, {"page_size": 1001}, {"concurrency": 0}])
async def test_strange_arguments(session: Session, bad: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        await harvest.estimate(session, SOURCE, **bad)


async def test_nothing_to_estimate(session: Session) -> None:
    found = await harvest.estimate(session, harvest.favorite_imodels([]))
    assert (found.lists, found.calls, found.items, found.minutes) == (0, 0, 0, 0)


async def test_after_a_resume_the_pace_is_that_of_this_run(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    ids = list(emulator.state.favorites["demo"].itwins)
    emulator.fail("GET /imodels/favorites", status=403, times=None, after=4)
    source = harvest.favorite_imodels(ids)
    await harvest.run(session, source, tmp_path / "out.db", concurrency=1)
    emulator.clear_faults()
    seen: list[harvest.Progress] = []
    report = await harvest.run(
        session, source, tmp_path / "out.db", concurrency=1, page_size=5, on_progress=seen.append
    )
    assert report.progress.new_items == 5 * 35
    assert report.progress.items == 9 * 35
    assert report.progress.seconds_left == 0
    assert report.progress.bytes > 0
    for one in seen:
        assert one.lists_expected == 9
        ended = one.lists_done - 4
        if one.lists_done < 9:
            expected = None if ended < 3 else (9 - one.lists_done) * one.seconds / ended
            assert one.seconds_left == expected


def scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.split() for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def test_metrics_tell_what_the_report_tells(emulator: Emulator, tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    emulator.fail("GET /imodels/favorites", status=429, times=1)
    emulator.fail("GET /imodels/favorites", status=503, times=1, after=2)
    emulator.fail("GET /imodels/favorites", status=403, times=1, after=4)
    threads = threading.active_count()
    policy = RetryPolicy(base=0.01)
    async with Session(emulator.token, base_url=emulator.base_url, retry=policy) as session:
        with harvest.serve_metrics(0) as metrics:
            before = scrape(metrics.port)
            report = await harvest.run(session, SOURCE, tmp_path / "out.db", on_progress=metrics)
            found = scrape(metrics.port)
    told = report.progress
    prefix = "itwin_harvest_"
    assert before[f"{prefix}finished_timestamp_seconds"] == 0
    assert found[f"{prefix}finished_timestamp_seconds"] > 1_700_000_000
    assert found[f"{prefix}items"] == found[f"{prefix}new_items_total"] == told.items
    assert found[f"{prefix}calls_total"] == told.calls
    assert found[f"{prefix}refusals_total"] == told.refused == 1
    assert found[f"{prefix}errors_total"] == told.errors == 2
    assert found[f"{prefix}retries_total"] == told.retried == 2
    assert found[f"{prefix}lists_done"] == 8
    assert found[f"{prefix}lists_failed"] == 1
    assert found[f"{prefix}lists_known"] == 9
    assert found[f"{prefix}received_bytes_total"] == told.bytes > 0
    assert threading.active_count() == threads
    with pytest.raises(OSError, match=r"."):
        scrape(metrics.port)


async def test_metrics_in_a_registry_of_ones_own(session: Session, tmp_path: Path) -> None:
    prometheus = pytest.importorskip("prometheus_client")
    registry = prometheus.CollectorRegistry()
    metrics = harvest.Metrics(registry)
    with pytest.raises(ConfigurationError):
        harvest.Metrics(registry)
    report = await harvest.run(session, SOURCE, tmp_path / "out.db", on_progress=metrics)
    assert registry.get_sample_value("itwin_harvest_items") == report.progress.items
    metrics.close()
    assert registry.get_sample_value("itwin_harvest_items") is None
    harvest.Metrics(registry).close()


def test_a_port_in_use_is_said() -> None:
    pytest.importorskip("prometheus_client")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=str(port)), harvest.serve_metrics(port):
            pass
    for bad in (-1, 65536, "80", True):
        with pytest.raises(ArgumentError), harvest.serve_metrics(bad):  # type: ignore[arg-type]
            pass


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r"itwin-async\[metrics\]"):
        harvest.Metrics()
    with (
        pytest.raises(ConfigurationError, match=r"itwin-async\[metrics\]"),
        harvest.serve_metrics(0),
    ):
        pass
