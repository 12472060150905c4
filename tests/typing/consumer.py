"""Calls as users write them; read by type checkers, never run."""

from __future__ import annotations

from datetime import datetime
from typing import assert_type
from uuid import UUID

import attrs

from itwin_async import (
    JSON,
    ApiError,
    Converter,
    DetailPager,
    Id,
    ItemIterator,
    ITwinError,
    Link,
    Page,
    PageIterator,
    Pager,
    RateLimitError,
    Response,
    RetryPolicy,
    Session,
    Timeout,
    bulk,
    from_dict,
    imodels,
    itwins,
    saved_views,
    to_dict,
)
from itwin_async.operations import Api


@attrs.frozen
class Thing:
    id: str


async def token() -> str:
    return "token"


async def lists(session: Session) -> None:
    summaries = imodels.list_favorites(session, "id")
    assert_type(summaries, DetailPager[imodels.IModelSummary, imodels.IModel])
    assert_type(summaries.full(), Pager[imodels.IModel])
    narrower: Pager[imodels.IModelSummary] = imodels.list_recents(session, "id", page_size=10)
    assert_type(await narrower.collect(), list[imodels.IModelSummary])
    assert_type(imodels.list_recents(session, "id").full(), Pager[imodels.IModel])
    numbered = itwins.list_favorites(session, sub_class={"Asset", "Project"}, concurrency=2)
    assert_type(numbered, DetailPager[itwins.ITwinSummary, itwins.ITwin])
    assert_type(numbered.full(), Pager[itwins.ITwin])
    assert_type(await itwins.list_recents(session, sub_class="Asset"), Page[itwins.ITwinSummary])
    assert_type(saved_views.list_tags(session), Pager[saved_views.Tag])
    selected = itwins.list_itwins(session, select=["id"], status="Active", page_size=5)
    assert_type(selected.full(), Pager[itwins.ITwin])
    views = saved_views.list_saved_views(session, group_id="g", concurrency=2)
    assert_type(views, DetailPager[saved_views.SavedViewSummary, saved_views.SavedView])


async def ids(session: Session, one: UUID) -> None:
    assert_type(await imodels.get_imodel(session, one), imodels.IModel)
    await imodels.add_favorite(session, one)
    imodels.list_favorites(session, one)
    itwins.list_itwins(session, parent_id=one, itwin_account_id=one)
    saved_views.list_tags(session, itwin_id=one, imodel_id=str(one))
    await bulk.each(imodels.add_favorite, session, [one])
    await bulk.each(imodels.add_favorite, session, [str(one)])
    either: Id = one
    await itwins.get_itwin(session, either)


async def answers(session: Session) -> None:
    response = await session.request("GET", "/imodels", params={"$top": 1, "deep": True})
    assert_type(response.json(), JSON)
    assert_type(response.json(imodels.IModel, key="iModel"), imodels.IModel)
    found = response.json(list[imodels.IModel], key="iModels")
    assert_type(found, list[imodels.IModel])
    assert_type(found[0].display_name, str | None)
    members = response.json(dict[str, object])
    assert_type(members["total"], object)
    value = response.json()
    if isinstance(value, dict) and isinstance(value["total"], int):
        assert_type(value["total"] + 1, int)


async def walks(session: Session) -> None:
    pager = imodels.list_favorites(session, "id").full()
    async for imodel in pager:
        assert_type(imodel, imodels.IModel)
        assert_type(imodel.created_date_time, datetime | None)
        assert_type(imodel.extent, imodels.Extent | None)
    async for page in pager.pages():
        assert_type(page, Page[imodels.IModel])
        assert_type(page.items, list[imodels.IModel])
        assert_type(page.cursor, str)
        assert_type(page.next, str | None)
        assert_type(page.raw_items(), list[bytes])
    assert_type(await pager, Page[imodels.IModel])
    assert_type(await pager.first(), imodels.IModel | None)
    assert_type(await pager.collect(limit=3), list[imodels.IModel])
    assert_type(pager.pages(), PageIterator[imodels.IModel])
    walk = aiter(pager)
    assert_type(walk, ItemIterator[imodels.IModel])
    assert_type(await anext(walk), imodels.IModel)
    assert_type(walk.cursor, str)
    wider: Pager[imodels.IModelSummary] = pager
    assert_type([one.id async for one in wider], list[str])


async def operations(session: Session) -> None:
    assert_type(await imodels.add_favorite(session, "id"), None)
    await itwins.update_itwin(session, "id", type=None, display_name="n")
    await itwins.update_itwin(session, "id", display_name=None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(await itwins.wait_for_export(session, "id"), itwins.Export)
    assert_type(await saved_views.get_image(session, "id"), str)
    tag = await saved_views.create_tag(session, "name", itwin_id="id")
    assert_type(tag, saved_views.Tag)
    assert_type(tag.links, saved_views.TagLinks | None)
    assert_type(await session.request("GET", "/x"), Response)
    report = await bulk.each(imodels.add_favorite, session, ["a", "b"])
    assert_type(report, bulk.Report[str])


async def own_list(session: Session) -> None:
    api = Api("mine", "/things", "application/json")
    things = api.list("list_things", "GET /", "Get Things", Thing, key="things", paging="skip")
    assert_type(await things(session, {}, {"page_size": 5}).collect(), list[Thing])
    thing = api.entity("get_thing", "GET /{thing_id}", "Get Thing", Thing, key="thing")
    assert_type(await thing(session, thing_id="1"), Thing)


async def sessions() -> None:
    async with Session(
        token, timeout=Timeout(total=5), retry=RetryPolicy(retries=1), converter=Converter()
    ) as session:
        assert_type(session, Session)
        assert_type(session.with_token("other"), Session)
    assert_type(Session.from_env(timeout=5, max_connections=3), Session)


def errors(error: ITwinError) -> None:
    assert_type(error.cursor, str | None)
    if isinstance(error, ApiError):
        assert_type(error.status, int)
        assert_type(error.code, str | None)
    if isinstance(error, RateLimitError):
        assert_type(error.retry_after, float | None)


def values(link: Link) -> None:
    assert_type(to_dict(link), dict[str, object])
    assert_type(from_dict(Link, {"href": "x"}), Link)


def wrong(session: Session) -> None:
    imodels.list_favorites(session)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    imodels.list_favorites(session, "id", prefer="full")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    imodels.list_favorites(session, "id", concurrency=2)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    saved_views.list_tags(session).full()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    itwins.list_favorites(session, status="Sleeping")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    itwins.list_favorites(session, sub_class="Galaxy")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    itwins.list_favorites(session, "Asset")  # type: ignore[call-arg, arg-type] # pyright: ignore[reportCallIssue]
    saved_views.update_tag(session, "id")  # type: ignore[call-arg, unused-coroutine] # pyright: ignore[reportCallIssue]
