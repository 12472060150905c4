"""Harvests as users write them; read by type checkers, never run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack, assert_type

from distributed import Client

from itwin_async import LocalPacer, Quota, Session, harvest, imodels, itwins, saved_views
from itwin_async.settings import Settings


async def everything(session: Session, full: harvest.Source[imodels.IModel]) -> None:
    summaries = harvest.favorite_imodels()
    assert_type(summaries, harvest.DetailSource[imodels.IModelSummary, imodels.IModel])
    narrower: harvest.Source[imodels.IModelSummary] = summaries
    assert_type(narrower.item, type[imodels.IModelSummary])
    assert_type(harvest.favorite_imodels(["x"]).full(), harvest.Source[imodels.IModel])
    assert_type(harvest.recent_imodels().full(), harvest.Source[imodels.IModel])
    assert_type(harvest.favorite_itwins().full(), harvest.Source[itwins.ITwin])
    assert_type(harvest.tags(), harvest.Source[saved_views.Tag])
    several = harvest.lists("imodels", "users", itwin_ids=["x"], full=True)
    assert_type(several, list[harvest.Source[object]])
    await harvest.run(session, several, "y.db")
    await harvest.run(session, [full, harvest.tags()], "z.db")
    users = harvest.read("y.db", imodels.User, table="users")
    assert_type(users, Iterator[tuple[str, imodels.User]])
    report = await harvest.run(session, full, "x.db")
    assert_type(report, harvest.Report)
    for key, item in harvest.read("x.db"):
        assert_type(key, str)
        assert_type(item, object)
    assert_type(harvest.read("x.db", imodels.IModel), Iterator[tuple[str, imodels.IModel]])
    assert_type(harvest.read("x.db", full.item), Iterator[tuple[str, imodels.IModel]])


def paced(**settings: Unpack[Settings]) -> Session:
    return Session("t", **settings)


async def shards(client: Client, full: harvest.Source[imodels.IModel]) -> None:
    async with Session("t", quota=LocalPacer(Quota(500))) as session:
        found = harvest.shards(session, full, "x.delta")
        async for shard in found:
            assert_type(shard, harvest.Shard)
            report = await harvest.read_shard(session, shard, "x.delta")
            assert_type(report, harvest.ShardReport)
        assert_type(await found.finish(), list[harvest.Failure])
    assert_type(await harvest.distribute(client, full, "x.delta"), harvest.Report)
    await harvest.distribute(client, [full], "x.delta", session=paced, quota=Quota(500))
