"""Which iTwins a harvest is about: the platform's default, and its filters."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import attrs
import pytest
from doubles import refused

from itwin_async import Session, harvest, itwins
from itwin_async.emulator import Emulator

ONE = "ecc2584e-83c3-41d1-a8de-aa184ae6dcfe"


@pytest.fixture(autouse=True)
def statuses(emulator: Emulator) -> None:
    for number, (key, one) in enumerate([*emulator.state.itwins.items()]):
        status = ("Active", "Inactive", "Trial")[number % 3]
        emulator.state.itwins[key] = attrs.evolve(one, status=status)


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"include_inactive": True},
        {"include_inactive": False},
        {"status": "Inactive"},
        {"sub_class": ["Asset", "Project"], "type": "Bridge", "include_inactive": True},
        {"search": "bridge"},
    ],
)
@pytest.mark.parametrize("of", ["itwins", "favorite-itwins"])
async def test_as_the_list_does(
    session: Session, tmp_path: Path, filters: dict[str, Any], of: str
) -> None:
    lister = itwins.list_itwins if of == "itwins" else itwins.list_favorites
    wanted = {itwin.id for itwin in await lister(session, **filters).collect()}
    sources = pickle.loads(pickle.dumps(harvest.lists(of, "tags", of=of, **filters)))
    target = tmp_path / "out.db"
    report = await harvest.run(session, sources, target)
    assert report.complete, report.failures
    table = of.replace("-", "_")
    assert {item.id for _, item in harvest.read(target, table=table)} == wanted  # type: ignore[attr-defined]
    assert report.progress.lists_known == 1 + len(wanted)


async def test_several_statuses(emulator: Emulator, session: Session, tmp_path: Path) -> None:
    sources = harvest.lists("itwins", "imodels", status=["Trial", "Inactive"])
    report = await harvest.run(session, sources, tmp_path / "out.db")
    assert report.complete, report.failures
    wanted = {key for key, one in emulator.state.itwins.items() if one.status != "Active"}
    found = list(harvest.read(tmp_path / "out.db", itwins.ITwinSummary))
    assert {item.id for _, item in found} == wanted
    assert {key for key, _ in found} == {"Trial", "Inactive"}
    assert report.progress.lists_known == 2 + len(wanted)


async def test_other_filters_are_another_harvest(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "out.db"
    await harvest.run(session, harvest.favorite_imodels(), target)
    for filters in ({"include_inactive": True}, {"status": "Active"}, {"type": "Bridge"}):
        with pytest.raises(harvest.TargetError):
            await harvest.run(session, harvest.favorite_imodels(**filters), target)  # type: ignore[arg-type]
    same = harvest.favorite_imodels(include_inactive=False, search=None)
    assert (await harvest.run(session, same, target)).complete


@pytest.mark.parametrize(
    ("argument", "filters"),
    [
        ("include_inactive", {"status": "Active", "include_inactive": True}),
        ("include_inactive", {"include_inactive": "yes"}),
        ("status", {"status": "Asleep"}),
        ("status", {"status": []}),
        ("sub_class", {"sub_class": "Bridge"}),
        ("search", {"search": " "}),
        ("parent_id", {"parent_id": "x"}),
        ("colour", {"colour": "red"}),
    ],
)
def test_filters_are_checked(argument: str, filters: dict[str, Any]) -> None:
    with refused(argument):
        harvest.lists("imodels", **filters)


def test_filters_are_for_lists_of_itwins() -> None:
    with refused("type"):
        harvest.lists("imodels", itwin_ids=[ONE], type="Bridge")
    harvest.lists("itwins", "imodels", itwin_ids=[ONE], type="Bridge")
