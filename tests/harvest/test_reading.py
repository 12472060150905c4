"""Targets read back as models."""

from __future__ import annotations

from pathlib import Path

import pytest
from harvest_truth import NEEDS, expected
from made_lists import Thing, made

from itwin_async import Session, harvest, imodels, itwins
from itwin_async.emulator import Emulator

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["out.db", "out.ndjson", "out.parquet"])
async def test_the_class_can_be_asked_for(
    emulator: Emulator, session: Session, tmp_path: Path, name: str
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target = tmp_path / name
    await harvest.run(session, harvest.favorite_imodels().full(), target)
    for cls in (imodels.IModel, imodels.IModelSummary):
        found = sorted((key, item.id) for key, item in harvest.read(target, cls))
        assert found == expected(emulator)
    with pytest.raises(harvest.TargetError):
        next(harvest.read(target, itwins.ITwin))


@pytest.mark.parametrize("name", ["out.db", "out.ndjson", "out.parquet"])
async def test_items_of_a_class_of_ones_own(session: Session, tmp_path: Path, name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    things = [Thing("a", "A", 1), Thing("b")]
    await harvest.run(session, made({"one": [things]}), tmp_path / name)
    assert list(harvest.read(tmp_path / name, Thing)) == [("one", thing) for thing in things]
    with pytest.raises(harvest.TargetError):
        next(harvest.read(tmp_path / name))
