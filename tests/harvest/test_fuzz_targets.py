"""
Targets on disk, mutated and cut: read as they were, or an error of ours that names the file.

A long run: ``pytest tests/harvest/test_fuzz_targets.py --hypothesis-profile=long``.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from harvest_truth import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itwin_async import ITwinError, Session, harvest
from itwin_async.emulator import EmulatorThread
from itwin_async.harvest import TargetError


@pytest.fixture(scope="module")
def platform() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=3, imodels=4) as emulator:
        yield emulator


@pytest.fixture(scope="module", params=TARGETS)
def finished(
    request: pytest.FixtureRequest,
    platform: EmulatorThread,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A finished target in a folder of its own."""
    target: Path = tmp_path_factory.mktemp("fuzz") / request.param

    async def fill() -> None:
        async with Session(platform.token, base_url=platform.base_url) as session:
            await harvest.run(session, harvest.favorite_imodels().full(), target)

    asyncio.run(fill())
    return target


async def go_on(platform: EmulatorThread, target: Path) -> None:
    async with Session(platform.token, base_url=platform.base_url) as session:
        await harvest.run(session, harvest.favorite_imodels().full(), target)


def rows(target: Path) -> list[tuple[str, object]]:
    return sorted((key, item.id) for key, item in harvest.read(target))


@settings(
    max_examples=settings().max_examples // 3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    which=st.integers(0, 5),
    share=st.floats(0, 1, exclude_max=True),
    piece=st.none() | st.binary(min_size=1, max_size=4),
)
def test_a_damaged_target(
    finished: Path, platform: EmulatorThread, which: int, share: float, piece: bytes | None
) -> None:
    wanted = rows(finished)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(finished.parent, copy)
        target = copy / finished.name
        files = sorted(path for path in copy.rglob("*") if path.is_file() and path.stat().st_size)
        damaged = files[which % len(files)]
        data = damaged.read_bytes()
        at = int(len(data) * share)
        damaged.write_bytes(data[:at] if piece is None else data[:at] + piece + data[at + 1 :])
        for look in (
            lambda: harvest.check(target),
            lambda: harvest.status(target),
            lambda: asyncio.run(go_on(platform, target)),
        ):
            try:
                look()
            except TargetError:
                continue
        try:
            found = rows(target)
        except ITwinError:
            return
        # What no checksum covers may change unseen, but rows neither vanish nor come twice.
        assert len(found) == len(wanted)
