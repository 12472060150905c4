"""This package, by its public names only."""

from __future__ import annotations

import asyncio

from benchmarks.plan import ITWIN_ID, TOKEN, Plan
from benchmarks.raw import ids
from itwin_async import Pager, Quota, Session, bulk, imodels, itwins


class Ours:
    """
    The client as its README shows it: retry, quota, pacing, events and all.

    Args:
        name: what the table calls it.
        compress: as for ``Session``.
        by_page: read by page, not by item.
        knows_quota: whether it is told what the server allows.
    """

    apart = False

    def __init__(
        self,
        name: str = "itwin_async",
        *,
        compress: bool | None = None,
        by_page: bool = False,
        knows_quota: bool = True,
    ) -> None:
        self.name = name
        self._compress = compress
        self._by_page = by_page
        self._knows_quota = knows_quota

    async def run(self, url: str, plan: Plan) -> int:
        quota = None
        if plan.allowed and self._knows_quota:
            burst = {"burst": plan.burst} if plan.burst else {}
            quota = Quota(plan.allowed, per_seconds=plan.per_seconds, **burst)
        async with Session(
            TOKEN, base_url=url, compress=self._compress, ssl=plan.trust, quota=quota
        ) as session:
            if plan.kind == "writes":
                return await _write(session, plan)
            if plan.pause or self._by_page:
                return await _by_page(listed(session, plan), plan.pause)
            named = 0
            async for item in listed(session, plan):
                if item.display_name:
                    named += 1
            return named

    async def close(self) -> None:
        return


def listed(
    session: Session, plan: Plan
) -> Pager[imodels.IModelSummary] | Pager[itwins.ITwinSummary]:
    """Make the pager of a plan."""
    size, at_once = plan.page_size, plan.concurrency
    if plan.kind == "imodels":
        if plan.full:
            return imodels.list_favorites(session, ITWIN_ID, page_size=size).full()
        return imodels.list_favorites(session, ITWIN_ID, page_size=size)
    if plan.full:
        return itwins.list_favorites(session, page_size=size, concurrency=at_once).full()
    return itwins.list_favorites(session, page_size=size, concurrency=at_once)


async def _by_page(
    pager: Pager[imodels.IModelSummary] | Pager[itwins.ITwinSummary], pause: float
) -> int:
    named = 0
    async for page in pager.pages():
        for item in page:
            if item.display_name:
                named += 1
        if pause:
            await asyncio.sleep(pause)
    return named


async def _write(session: Session, plan: Plan) -> int:
    report = await bulk.each(imodels.add_favorite, session, ids(plan), concurrency=plan.concurrency)
    return report.done
