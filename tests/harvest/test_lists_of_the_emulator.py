"""Every list as a source, of the emulator, which has no mistake in common with the client."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from harvest_truth import NEEDS

from itwin_async import Session, harvest, imodels, itwins, saved_views, to_dict
from itwin_async.emulator import EmulatorThread

NAMES = harvest.list_names()


async def fill(emulator: EmulatorThread) -> None:
    """Give each list something to hold."""
    async with Session(emulator.token, base_url=emulator.base_url) as session:
        async for itwin in itwins.list_itwins(session):
            await itwins.add_recent(session, itwin.id)
            await saved_views.create_tag(session, "Night", itwin_id=itwin.id)
            await saved_views.create_group(session, itwin.id, "Reviews")
            extension = saved_views.Extension("EmphasizeElements", {"a": [1, "x.y"]})
            view = {"origin": [0, 0, 0], "extents": [1, 1, 1], "name": "a.b & c"}
            data = saved_views.SavedViewData(itwin3d_view=view)
            for name in ("North", "South"):
                await saved_views.create_saved_view(
                    session, itwin.id, name, data, extensions=[extension]
                )
        for imodel in emulator.state.imodels.values():
            changeset = emulator.add_changeset(imodel)
            await imodels.add_recent(session, imodel.id)
            await imodels.create_extended_data(session, imodel.id, changeset.id, {"a": 1})
            await imodels.create_changeset_group(session, imodel.id, "A group")
            briefcase = await imodels.acquire_briefcase(session, imodel.id)
            for level, ids in (("exclusive", ["0x1", "0x2", "0x3", "0x4"]), ("none", ["0x1"])):
                await imodels.update_locks(
                    session,
                    imodel.id,
                    briefcase.briefcase_id or 0,
                    [imodels.LockedObjects(level, ids)],
                    changeset_id=changeset.id,
                )
        await itwins.create_export(session, "Csv", select=["id", "number"])


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=3, imodels=2, changesets=4, named_versions=2) as emulator:
        asyncio.run(fill(emulator))
        emulator.clock.advance(600)  # the export has ended
        yield emulator


@pytest.fixture
async def session(emulator: EmulatorThread) -> AsyncIterator[Session]:
    async with Session(emulator.token, base_url=emulator.base_url) as session:
        yield session


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", NAMES)
async def test_each_alone(session: Session, tmp_path: Path, name: str, full: bool) -> None:
    (source,) = harvest.lists(name, full=full)
    target = tmp_path / "out.db"
    report = await harvest.run(session, source, target, page_size=2)
    assert report.complete, report.failures
    assert report.progress.items > 0
    rows = list(harvest.read(target))
    assert len(rows) == report.progress.items
    assert {type(item) for _, item in rows} == {source.item}


@pytest.mark.parametrize("form", ["ndjson", "ndjson.gz", "parquet"])
async def test_all_in_one_target_are_read_back_as_from_a_database(
    session: Session, tmp_path: Path, form: str
) -> None:
    if form in NEEDS:
        pytest.importorskip(NEEDS[form])
    sources = harvest.lists(*NAMES, full=True)
    for target in (tmp_path / "out.db", tmp_path / f"out.{form}"):
        report = await harvest.run(session, sources, target)
        assert report.complete, report.failures
        assert all(harvest.check(target).tables.values())
    for source in sources:
        one, other = (
            sorted(map(plain, harvest.read(target, source.item, table=source.table)))
            for target in (tmp_path / "out.db", tmp_path / f"out.{form}")
        )
        assert one == other


def plain(row: tuple[str, object]) -> str:
    """A row as JSON, without signatures: these are new in every answer."""
    key, item = row
    return json.dumps([key, re.sub(r"\?sv=[^\"]*", "", json.dumps(to_dict(item)))])
