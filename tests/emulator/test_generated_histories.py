from __future__ import annotations

import time

import aiohttp
import pytest
from yarl import URL

from itwin_async import Session, imodels
from itwin_async.emulator import Emulator, World


def test_what_a_world_cannot_have() -> None:
    for sizes in ({"changesets": -1}, {"named_versions": 1}, {"changesets": True}):
        with pytest.raises(ValueError, match="changesets"):
            World(0, 1, 1, **sizes)  # type: ignore[arg-type]


def test_a_large_world_costs_nothing() -> None:
    start = time.perf_counter()
    world = World(0, 100, 10_000, changesets=5000, named_versions=50)
    last = world.imodels_of(list(world.itwins)[-1])[-1]
    assert len(world.history(last.id)) == 5000
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(("changesets", "named_versions"), [(1, 1), (7, 3), (12, 12), (10, 4)])
def test_every_changeset_is_found(changesets: int, named_versions: int) -> None:
    world = World(3, 1, 2, changesets=changesets, named_versions=named_versions)
    for imodel in world.imodels.values():
        history = world.history(imodel.id)
        rows = list(history.rows())
        assert [row.index for row in rows] == list(range(1, changesets + 1))
        assert [row.parent_id for row in rows] == ["", *(row.id for row in rows[:-1])]
        assert rows[-1].pushed == imodel.last_changeset
        for row in rows:
            assert history.find(row.id) == history.at(row.index) == row
        assert history.find("a" * 40) is history.at(0) is history.at(changesets + 1) is None
        versions = history.versions()
        assert len({version.changeset_index for version in versions}) == named_versions
        on = {version.changeset_index: version.id for version in versions}
        for index in range(changesets + 1):
            assert history.version_on(index) == on.get(index)
            before = [other for other in on if other <= index]
            assert max(history.versions_before(index), default=0) == max(before, default=0)


async def test_it_is_served_and_goes_on(session: aiohttp.ClientSession) -> None:
    async with Emulator(itwins=1, imodels=2, changesets=250, named_versions=6) as emulator:
        first, second = emulator.state.imodels
        async with Session(emulator.token, base_url=emulator.base_url) as client:
            pager = imodels.list_changesets(client, first, page_size=100)
            assert [row.index async for row in pager] == list(range(1, 251))
            found = await imodels.get_changeset(client, first, 200)
            assert found.links is not None
            assert found.links.download is not None
            url = URL(str(found.links.download.href), encoded=True)
            async with session.get(url) as response:
                assert len(await response.read()) == found.file_size
            versions = await imodels.list_named_versions(client, first).full()
            assert [row.changeset_index for row in versions.items] == [41, 83, 125, 166, 208, 250]
            hidden = await imodels.update_named_version(
                client, first, versions.items[2].id, state="hidden"
            )
            again = await imodels.list_named_versions(client, first).full()
            assert again.items[2] == hidden
            assert (await imodels.get_latest_checkpoint(client, first)).changeset_index == 250
            emulator.add_changeset(first)
            last = await imodels.list_changesets(client, first, after_index=249)
            assert [row.index for row in last.items] == [250, 251]
            assert last.items[1].parent_id == last.items[0].id
            async with Emulator(seed=9, itwins=0) as other:
                other.load(emulator.export())
                async with Session(other.token, base_url=other.base_url) as reader:
                    for imodel_id in (first, second):
                        assert (await imodels.get_changeset(reader, imodel_id, 250)).id == (
                            await imodels.get_changeset(client, imodel_id, 250)
                        ).id
            made = emulator.add_imodel(next(iter(emulator.state.itwins)))
            assert not (await imodels.list_changesets(client, made.id)).items
