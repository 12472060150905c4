"""
One process against Dask workers, without a quota and under one of 5,000 calls a minute.

Needs the extras ``dask`` and ``delta``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from benchmarks.harvest.work import PAGE, fresh, gather, keys
from benchmarks.plan import TOKEN, Plan
from benchmarks.process import serving
from itwin_async import Quota, Session, harvest

_QUOTA = Quota(5000, per_seconds=60)


def figures(quick: bool) -> Iterator[str]:
    """Read full pages of whole iModels into targets, by one process and by workers."""
    lists = 50 if quick else 600
    free = Plan("one page", "", "imodels", PAGE)
    allowed = attrs.evolve(free, allowed=5000, per_seconds=60.0)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for plan, quota in ((free, None), (allowed, _QUOTA)):
            words = "5,000 calls a minute" if quota else "no quota"
            for target in ("out.db", "out.delta"):
                with serving(plan) as server:
                    made = gather(server.url, lists, fresh(folder, target), quota=quota)
                    report = asyncio.run(made)
                    yield _line(words, f"one process, {target}", report)
            for workers in (2, 4):
                with serving(plan) as server:
                    where = fresh(folder, "out.delta")
                    report = _by_workers(server.url, lists, where, workers, quota)
                    yield _line(words, f"{workers} workers, out.delta", report)


def _by_workers(
    url: str, lists: int, target: str, workers: int, quota: Quota | None
) -> harvest.Report:
    from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra

    os.environ |= {"ITWIN_ACCESS_TOKEN": TOKEN, "ITWIN_BASE_URL": url}
    source = harvest.favorite_imodels(keys(lists)).full()
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as there,
        Client(there) as client,
    ):
        client.wait_for_workers(workers)
        size = max(1, lists // (4 * workers))
        work = harvest.distribute(
            client, source, target, session=Session.from_env, quota=quota, size=size
        )
        report = asyncio.run(work)
    if not report.complete or report.progress.items != lists * PAGE:
        raise RuntimeError(f"{report.progress.items} of {lists * PAGE} items were harvested")
    return report


def _line(words: str, who: str, report: harvest.Report) -> str:
    told = report.progress
    minute = 60 / told.seconds
    return (
        f"{words:<22} {who:<24} {told.calls * minute:>8,.0f} calls/min "
        f"{told.items / told.seconds:>9,.0f} items/s  {told.refused} of {told.calls} refused"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.harvest.cluster", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="small amounts")
    for line in figures(parser.parse_args().quick):
        print(line, flush=True)


if __name__ == "__main__":
    main()
