"""The command ``python -m benchmarks.backend_load``."""

from __future__ import annotations

import argparse
import asyncio
import sys

import benchmarks.backend_load
from benchmarks.backend_load import run, views


def main() -> None:
    """Put a backend under load, and say what was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.backend_load",
        description=(benchmarks.backend_load.__doc__ or "").strip(),
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="how long (%(default)s)")
    parser.add_argument("--users", type=int, default=50, help="browsers at once (%(default)s)")
    parser.add_argument("--laps", type=int, default=5, help="rests in between (%(default)s)")
    parser.add_argument("--views", type=int, default=10_000, help="with_token views (%(default)s)")
    parser.add_argument("--backend", choices=["aiohttp", "fastapi"], default="aiohttp")
    parser.add_argument("--seed", type=int, default=0, help="draws what users do (%(default)s)")
    given = parser.parse_args()
    outcome = asyncio.run(
        run(
            seconds=given.seconds,
            users=given.users,
            laps=given.laps,
            backend=given.backend,
            seed=given.seed,
        )
    )
    print(f"{given.users} users of the {given.backend} example for {given.seconds:g} s")
    print(f"  jobs {dict(outcome.jobs)}\n  tokens renewed {dict(outcome.renewals)}")
    for number, lap in enumerate(outcome.laps):
        print(
            f"  lap {number}: {lap.tasks} tasks, {lap.busy} connections in use, "
            f"{lap.objects} objects, {lap.megabytes:.1f} MB"
        )
    cost = asyncio.run(views(given.views))
    print(
        f"{given.views} views: {cost.microseconds:.2f} us and {cost.size:.0f} B each, "
        f"{cost.left:.1f} B left of each; a request with each took {cost.seconds:.1f} s"
    )
    for line in outcome.wrong[:20]:
        print(f"WRONG {line}")
    sys.exit(1 if outcome.wrong else 0)


if __name__ == "__main__":
    main()
