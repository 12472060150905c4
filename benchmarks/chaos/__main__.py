"""The command ``python -m benchmarks.chaos``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from benchmarks.chaos import run


def main() -> None:
    """Let storms pass until the time is up, and say what was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long in all")
    parser.add_argument("--seed", type=int, default=None, help="the first storm's; drawn if absent")
    parser.add_argument("--storm", type=float, default=10.0, help="seconds of one storm")
    parser.add_argument("--concurrency", type=int, default=200, help="jobs at once")
    given = parser.parse_args()
    seed = int(time.time()) if given.seed is None else given.seed
    end = time.monotonic() + given.seconds
    wrong = 0
    while (left := end - time.monotonic()) > 0:
        length = min(given.storm, left)
        outcome = asyncio.run(run(seed, seconds=length, concurrency=given.concurrency))
        good, bad = sum(outcome.jobs.values()), sum(outcome.errors.values())
        print(f"seed {seed}: {good} jobs well, {bad} ended with errors, {len(outcome.wrong)} wrong")
        print(f"  {outcome.requests} requests, {outcome.faults} of them hit by a fault")
        print(f"  {dict(outcome.jobs)}\n  {dict(outcome.errors)}", flush=True)
        for line in outcome.wrong[:20]:
            print(f"  WRONG {line}", flush=True)
        wrong += len(outcome.wrong)
        seed += 1
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
