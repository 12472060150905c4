"""Ids may be given as ``uuid.UUID`` wherever they may be given."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from itwin_async import NotFoundError, Session, bulk, catalog, harvest, imodels, itwins, saved_views
from itwin_async.emulator import Emulator


async def test_they_are_ids_in_paths_queries_and_bodies(
    session: Session, emulator: Emulator, itwin_id: str, imodel_id: str
) -> None:
    itwin, imodel = UUID(itwin_id), UUID(imodel_id)
    assert (await imodels.get_imodel(session, imodel)).id == imodel_id
    assert (await itwins.get_itwin(session, itwin)).id == itwin_id
    await imodels.remove_favorite(session, imodel)
    await bulk.each(imodels.add_favorite, session, [imodel])
    listed = await imodels.list_imodels(session, itwin).collect()
    assert imodel_id in [one.id for one in listed]
    made = await imodels.create_imodel(session, itwin, "By UUID")
    assert made.itwin_id == itwin_id
    tag = await saved_views.create_tag(session, "By UUID", itwin_id=itwin)
    tags = await saved_views.list_tags(session, itwin_id=itwin).collect()
    assert tag.id in [one.id for one in tags]
    assert await itwins.list_itwins(session, parent_id=uuid4()).collect() == []
    assert emulator.violations == []


async def test_a_cursor_fits_whichever_way_the_id_was_given(
    session: Session, itwin_id: str
) -> None:
    page = await imodels.list_imodels(session, itwin_id, page_size=2)
    following = await imodels.list_imodels(session, UUID(itwin_id), page_size=2, cursor=page.cursor)
    assert following.items
    assert following.items != page.items


async def test_they_say_what_was_not_found(session: Session) -> None:
    missing = uuid4()
    with pytest.raises(NotFoundError) as caught:
        await imodels.get_imodel(session, missing)
    assert caught.value.path == f"/imodels/{missing}"


async def test_a_harvest_takes_them(session: Session, itwin_id: str, tmp_path: Path) -> None:
    source = harvest.favorite_imodels(itwin_ids=[UUID(itwin_id)])
    report = await harvest.run(session, source, tmp_path / "a.db")
    assert report.complete
    assert report.progress.lists_known == 1


def test_every_id_that_is_a_guid_may_be_one() -> None:
    ids = {
        (entry.operation.name, parameter.name): parameter.hint
        for entry in catalog.operations()
        for parameter in entry.parameters
        if parameter.name in {"imodel_id", "itwin_id", "export_id", "user_id", "named_version_id"}
    }
    assert len(ids) > 50
    assert [name for name, hint in ids.items() if "UUID" not in str(hint)] == []
