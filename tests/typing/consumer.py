"""Calls as users write them; read by type checkers, never run."""

from __future__ import annotations

from datetime import datetime
from typing import assert_type

import attrs

from itwin_async import (
    ApiError,
    Converter,
    ItemWalk,
    ITwinError,
    Link,
    Listing,
    Page,
    Pager,
    PageWalk,
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


@attrs.frozen
class Thing:
    id: str


async def token() -> str:
    return "token"


async def lists(session: Session) -> None:
    summaries = imodels.list_favorites(session, "id")
    assert_type(summaries, Pager[imodels.IModelSummary])
    full = imodels.list_favorites(session, "id", prefer="representation", page_size=10)
    assert_type(full, Pager[imodels.IModel])
    assert_type(imodels.list_recents(session, "id"), Pager[imodels.IModelSummary])
    assert_type(imodels.list_recents(session, "id", prefer="representation"), Pager[imodels.IModel])
    assert_type(itwins.list_favorites(session, concurrency=2), Pager[itwins.ITwinSummary])
    assert_type(
        itwins.list_favorites(session, sub_class={"Asset", "Project"}, prefer="representation"),
        Pager[itwins.ITwin],
    )
    assert_type(itwins.list_recents(session, sub_class="Asset"), Pager[itwins.ITwinSummary])
    assert_type(saved_views.list_tags(session), Pager[saved_views.Tag])


async def walks(session: Session) -> None:
    pager = imodels.list_favorites(session, "id", prefer="representation")
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
    assert_type(pager.pages(), PageWalk[imodels.IModel])
    walk = aiter(pager)
    assert_type(walk, ItemWalk[imodels.IModel])
    assert_type(await anext(walk), imodels.IModel)
    assert_type(walk.cursor, str)
    wider: Pager[imodels.IModelSummary] = pager
    assert_type([one.id async for one in wider], list[str])


async def operations(session: Session) -> None:
    assert_type(await imodels.add_favorite(session, "id"), None)
    tag = await saved_views.create_tag(session, "name", itwin_id="id")
    assert_type(tag, saved_views.Tag)
    assert_type(tag.links, saved_views.TagLinks | None)
    assert_type(await session.request("GET", "/x"), Response)
    assert_type(await session.fetch(Thing, "thing", "GET", "/x", accept="a"), Thing)
    report = await bulk.each(imodels.add_favorite, session, ["a", "b"])
    assert_type(report, bulk.Report[str])


async def own_list(session: Session) -> None:
    listing = Listing(
        operation="mine.things",
        path="/things",
        query=(),
        key="things",
        item=Thing,
        accept="application/json",
    )
    assert_type(await Pager(session, listing).collect(), list[Thing])


async def sessions() -> None:
    async with Session(
        token, timeout=Timeout(total=5), retry=RetryPolicy(retries=1), converter=Converter()
    ) as session:
        assert_type(session, Session)
        assert_type(session.with_token("other"), Session)
    assert_type(Session.from_env(), Session)


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
    imodels.list_favorites(session)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
    imodels.list_favorites(session, "id", prefer="full")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    itwins.list_favorites(session, status="Sleeping")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    itwins.list_favorites(session, sub_class="Galaxy")  # type: ignore[arg-type] # pyright: ignore[reportCallIssue, reportArgumentType]
    itwins.list_favorites(session, "Asset")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
    saved_views.update_tag(session, "id")  # type: ignore[call-arg, unused-coroutine] # pyright: ignore[reportCallIssue]
