"""Each operation, once through, against the emulator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import pytest

from itwin_async import NotFoundError, Pager, Session, imodels, itwins, saved_views
from itwin_async.emulator import Emulator

UNKNOWN = "00000000-0000-4000-8000-000000000000"
V1 = "application/vnd.bentley.itwin-platform.v1+json"
V2 = "application/vnd.bentley.itwin-platform.v2+json"

Act = Callable[[Session, str], Awaitable[None]]


def query(emulator: Emulator, number: int = -1) -> dict[str, str]:
    return dict(parse_qsl(emulator.requests[number].query, keep_blank_values=True))


async def test_favorite_imodels(emulator: Emulator, session: Session, itwin_id: str) -> None:
    wanted = list(emulator.state.favorites["demo"].imodels)
    of_itwin = [one for one in wanted if emulator.state.imodels[one].itwin_id == itwin_id]
    found = await imodels.list_favorites(session, itwin_id, page_size=2).collect()
    assert [imodel.id for imodel in found] == of_itwin
    assert {type(imodel) for imodel in found} == {imodels.IModelSummary}
    assert query(emulator, 0) == {"iTwinId": itwin_id, "$top": "2", "$continuationToken": ""}
    for request in emulator.requests:
        assert request.headers["Prefer"] == "return=minimal"
        assert request.headers["Accept"] == V2
    full = await imodels.list_favorites(session, itwin_id).full().collect()
    assert {type(imodel) for imodel in full} == {imodels.IModel}
    assert [imodel.id for imodel in full] == of_itwin
    assert {imodel.itwin_id for imodel in full} == {itwin_id}
    assert emulator.requests[-1].headers["Prefer"] == "return=representation"


async def test_both_lists_walk_over_many_pages(session: Session, emulator: Emulator) -> None:
    pairs: list[tuple[str, str]] = []
    async for itwin in itwins.list_favorites(session, page_size=2):
        async for imodel in imodels.list_favorites(session, itwin.id, page_size=3):
            pairs.append((itwin.id, imodel.id))  # noqa: PERF401 - as a reader would write it
    favorites, state = emulator.state.favorites["demo"], emulator.state
    active = [one for one in favorites.itwins if state.itwins[one].status != "Inactive"]
    assert pairs == [
        (itwin, imodel)
        for itwin in active
        for imodel in favorites.imodels
        if state.imodels[imodel].itwin_id == itwin
    ]
    assert emulator.violations == []


async def test_favorite_itwins_several_pages_at_once(session: Session) -> None:
    one_by_one = await itwins.list_favorites(session, page_size=1).collect()
    at_once = await itwins.list_favorites(session, page_size=1, concurrency=4).collect()
    assert at_once == one_by_one
    assert len(at_once) > 3


async def test_every_filter_of_itwins(emulator: Emulator, session: Session) -> None:
    both = itwins.list_favorites(
        session, sub_class=["Project", "Asset"], include_inactive=True, type="a&b=c +ü"
    )
    await both
    assert query(emulator) == {
        "subClass": "Asset,Project",
        "includeInactive": "true",
        "type": "a&b=c +ü",
    }
    await itwins.list_recents(session, sub_class="Asset", status="Inactive", page_size=1000)
    assert query(emulator) == {"subClass": "Asset", "status": "Inactive", "$top": "1000"}
    await itwins.list_favorites(session, include_inactive=False)
    assert query(emulator) == {"includeInactive": "false"}
    await itwins.list_favorites(session)
    assert emulator.requests[-1].query == ""
    assert emulator.requests[-1].headers["Accept"] == V1


async def test_inactive_itwins_are_asked_for(emulator: Emulator, session: Session) -> None:
    usual = {itwin.id for itwin in await itwins.list_favorites(session).collect()}
    everything = await itwins.list_favorites(session, include_inactive=True).full().collect()
    inactive = {itwin.id for itwin in everything if itwin.status == "Inactive"}
    assert inactive
    assert usual == {itwin.id for itwin in everything} - inactive


@pytest.mark.parametrize(
    ("add", "remove", "method"),
    [
        (imodels.add_favorite, imodels.remove_favorite, "PUT /imodels/favorites/{id}"),
        (itwins.add_favorite, itwins.remove_favorite, "POST /itwins/favorites/{id}"),
    ],
)
async def test_favorites_come_and_go(
    emulator: Emulator, session: Session, add: Act, remove: Act, method: str
) -> None:
    wing = "imodels" if "imodels" in method else "itwins"
    one = next(iter(getattr(emulator.state, wing)))
    favorites = getattr(emulator.state.favorites["demo"], wing)
    for _ in range(2):
        await add(session, one)
        assert one in favorites
    emulator.assert_called(method, times=2)
    await remove(session, one)
    assert one not in getattr(emulator.state.favorites["demo"], wing)
    assert all(request.body == b"" for request in emulator.requests)


async def test_recents_keep_the_newest_first(
    emulator: Emulator, session: Session, itwin_id: str
) -> None:
    mine = [one.id for one in emulator.state.imodels.values() if one.itwin_id == itwin_id][:3]
    for one in [*mine, mine[0]]:
        await imodels.add_recent(session, one)
    found = [imodel.id async for imodel in imodels.list_recents(session, itwin_id)]
    assert found[: len(mine)] == [mine[0], *reversed(mine[1:])]
    assert query(emulator) == {"iTwinId": itwin_id}
    await imodels.remove_recent(session, mine[0])
    full = await imodels.list_recents(session, itwin_id).full().collect()
    assert mine[0] not in [imodel.id for imodel in full]
    await itwins.add_recent(session, itwin_id)
    first = await itwins.list_recents(session, include_inactive=True).first()
    assert first is not None
    assert first.id == itwin_id


async def test_a_tags_life(emulator: Emulator, session: Session, itwin_id: str) -> None:
    tag = await saved_views.create_tag(session, "Night shift", itwin_id=itwin_id)
    assert tag.display_name == "Night shift"
    assert await saved_views.get_tag(session, tag.id) == tag
    assert [one.id async for one in saved_views.list_tags(session, itwin_id=itwin_id)] == [tag.id]
    renamed = await saved_views.update_tag(session, tag.id, display_name="Day shift")
    assert (renamed.id, renamed.display_name) == (tag.id, "Day shift")
    await saved_views.delete_tag(session, tag.id)
    assert await saved_views.list_tags(session, itwin_id=itwin_id).collect() == []
    with pytest.raises(NotFoundError):
        await saved_views.get_tag(session, tag.id)
    assert {request.headers["Accept"] for request in emulator.requests} == {V1}


@pytest.mark.parametrize(
    "act",
    [
        imodels.add_favorite,
        imodels.remove_favorite,
        imodels.add_recent,
        imodels.remove_recent,
        itwins.add_favorite,
        itwins.remove_favorite,
        itwins.add_recent,
        saved_views.get_tag,
        saved_views.delete_tag,
    ],
)
async def test_unknown_ids_are_not_found(session: Session, act: Act) -> None:
    with pytest.raises(NotFoundError) as caught:
        await act(session, UNKNOWN)
    assert caught.value.request_id


async def test_an_unknown_itwin_has_no_list(session: Session) -> None:
    pager = imodels.list_favorites(session, UNKNOWN)
    assert isinstance(pager, Pager)
    with pytest.raises(NotFoundError) as caught:
        await pager.collect()
    assert caught.value.code == "iTwinNotFound"
    assert caught.value.cursor is not None


async def test_hostile_tokens_come_back_unchanged(itwin_id: str) -> None:
    async with (
        Emulator(itwins=1, imodels=9, hostile_tokens=True, escape_ampersand=True) as emulator,
        Session(emulator.token, base_url=emulator.base_url) as session,
    ):
        only = next(iter(emulator.state.itwins))
        found = await imodels.list_favorites(session, only, page_size=2).collect()
        assert [imodel.id for imodel in found] == list(emulator.state.imodels)
        for stop in range(10):
            walk = aiter(imodels.list_favorites(session, only, page_size=2))
            head = [await anext(walk) for _ in range(stop)]
            await walk.aclose()
            rest = imodels.list_favorites(session, only, cursor=walk.cursor)
            assert head + await rest.collect() == found


@pytest.mark.parametrize("links", [{"next_on_last_page": True}, {"null_links": True}, {}])
async def test_every_manner_of_links(links: dict[str, bool]) -> None:
    async with (
        Emulator(itwins=6, imodels=6, **links) as emulator,  # type: ignore[arg-type]
        Session(emulator.token, base_url=emulator.base_url) as session,
    ):
        pager = itwins.list_favorites(session, include_inactive=True, page_size=2)
        assert [itwin.id async for itwin in pager] == list(emulator.state.itwins)
        at_once = itwins.list_favorites(session, include_inactive=True, page_size=2, concurrency=3)
        assert len(await at_once.collect()) == 6
