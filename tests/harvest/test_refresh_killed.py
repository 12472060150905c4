"""
A refresh that is killed again and again; readers see the old rows or the new ones, whole.

``ITWIN_ASYNC_KILLS`` sets how many kills each target gets (2 by default).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from churn import churn, held, populate, sources
from harvest_truth import NEEDS

from itwin_async import Session, harvest
from itwin_async.emulator import EmulatorThread
from itwin_async.harvest.merging import content_of
from itwin_async.harvest.target import target_files

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("ITWIN_ASYNC_KILLS", "2"))
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=5, imodels=4, seed=8, latency=0.002) as emulator:
        populate(emulator)
        yield emulator


class Reader(threading.Thread):
    """Reads a target again and again, and remembers every state of it that is neither of two."""

    def __init__(self, target: Path, old: object) -> None:
        super().__init__()
        self.odd: list[object] = []
        self.reads = 0
        self.states = [old]
        self._target = target
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.is_set():
            try:
                found = held(self._target)["imodels"]
            except Exception as problem:  # noqa: BLE001 - none is expected
                self.odd.append(problem)
                return
            self.reads += 1
            if found not in self.states:
                self.odd.append(found)

    def stop(self) -> None:
        self._done.set()
        self.join()


@pytest.mark.parametrize("name", ["out.db", "out.ndjson", "out.parquet", "out.delta"])
def test_killed_at_any_moment(emulator: EmulatorThread, tmp_path: Path, name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target, fresh, file = tmp_path / name, tmp_path / "fresh.db", tmp_path / "changes.ndjson"
    mirror: dict[tuple[str, str, str], str] = {}

    async def prepare() -> None:
        async with Session(emulator.token, base_url=emulator.base_url) as session:
            await harvest.run(session, sources(), target, changes=file)
            consume(file, mirror)
            await churn(emulator, session)
            await harvest.run(session, sources(), fresh)

    asyncio.run(prepare())
    old, new = held(target), held(fresh)
    reader = Reader(target, old["imodels"])
    reader.states.append(new["imodels"])
    reader.start()
    try:
        refresh_and_kill(emulator, target, file, mirror)
    finally:
        reader.stop()
    assert reader.odd == []
    assert reader.reads > 3
    assert held(target) == new
    harvest.check(target)
    assert not target_files(target).spool.exists()
    assert mirror == {
        (table, row.list, row.id): row.content for table, rows in new.items() for row in rows
    }
    beside = {path.name for path in tmp_path.iterdir()} - {"fresh.db"}
    assert not [one for one in beside if "refresh" in one or ".new" in one or "draft" in one]


def consume(file: Path, mirror: dict[tuple[str, str, str], str]) -> None:
    """Take changes as somebody else's program does."""
    if not file.exists():
        return
    for line in map(json.loads, file.read_text().splitlines()):
        known = (line["table"], line["list"], line["id"])
        if line["change"] == "removed":
            mirror.pop(known, None)
        else:
            mirror[known] = content_of(json.dumps(line["item"]).encode())
    file.unlink()


def refresh_and_kill(
    emulator: EmulatorThread, target: Path, file: Path, mirror: dict[tuple[str, str, str], str]
) -> None:
    rng = random.Random(target.name)
    worker = Path(__file__).with_name("refresh_worker.py")
    command = [sys.executable, str(worker), str(target), emulator.base_url, emulator.token]
    paths = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    kills = 0
    phases: Counter[str] = Counter()
    while True:
        process = subprocess.Popen(
            [*command, str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        if kills < KILLS:
            time.sleep(rng.uniform(0.0, 1.5))  # the moment is what is tested
            process.kill()
        out, err = process.communicate(timeout=60)
        consume(file, mirror)
        if process.returncode == 0:
            assert out.split() == ["True"]
            if kills >= KILLS:
                print(target.name, dict(phases))
                return
        else:
            assert process.returncode == -signal.SIGKILL, err
            phases[phase(target)] += 1
        kills += 1


def phase(target: Path) -> str:
    under_way = harvest.status(target).refresh
    if under_way is None:
        return "before or after"
    read = under_way.lists_known and under_way.lists_done == under_way.lists_known
    return "merging" if read else "reading"
