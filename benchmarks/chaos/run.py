"""One storm from its seed to its end."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs

from benchmarks.chaos.jobs import JOBS, Storm
from benchmarks.chaos.truth import Truth
from benchmarks.chaos.weather import PATIENT, faults
from itwin_async import ITwinError, Quota, RetryPolicy, Session, Timeout
from itwin_async.emulator import EmulatorThread

USERS = ("ana", "ben", "cleo", f"{PATIENT}-1", f"{PATIENT}-2")
_LONGEST_JOB = 60.0
_SPEED = 100.0


@attrs.define
class Outcome:
    """
    What came of a storm.

    Attributes:
        jobs: how many ended well, by name.
        errors: how many ended with an error of ours, by its class.
        requests: how many requests the platform saw.
        faults: how many of them a fault hit.
        wrong: everything that must not be.

    """

    jobs: Counter[str] = attrs.field(factory=Counter)
    errors: Counter[str] = attrs.field(factory=Counter)
    requests: int = 0
    faults: int = 0
    wrong: list[str] = attrs.field(factory=list)


async def run(seed: int, *, seconds: float, concurrency: int = 200) -> Outcome:
    """
    Let a storm pass.

    Args:
        seed: draws the world, the faults and the jobs.
        seconds: how long new jobs begin.
        concurrency: how many jobs are under way at once.

    """
    outcome = Outcome()
    tasks_before = asyncio.all_tasks()
    with EmulatorThread(seed=seed, itwins=8, imodels=90, favorites=False) as emulator:
        sockets_before = _sockets()
        _share_out(emulator, random.Random(seed))
        truth = Truth(emulator)
        for fault in faults(seed, list(USERS)):
            emulator.fault(fault)
        async with _session(emulator) as session:
            views = {user: session.with_token(emulator.token_for(user)) for user in USERS}
            storm = Storm(emulator, truth, views, random.Random(seed))
            end = time.monotonic() + seconds
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(_work(storm, outcome, end))
        outcome.requests = emulator.request_count
        outcome.faults = sum(entry.applied for entry in emulator.faults)
        emulator.clear_faults()
        await _check_leaks(outcome, tasks_before, sockets_before)
    return outcome


def _session(emulator: EmulatorThread) -> Session:
    """Make a session whose waits run a hundred times as fast."""

    async def sleep(delay: float) -> None:
        await asyncio.sleep(delay / _SPEED)

    def clock() -> float:
        return time.monotonic() * _SPEED

    return Session(
        emulator.token,
        base_url=emulator.base_url,
        # The storm's 429s come by chance; without a known quota a pace would be learned from them.
        quota=Quota(1e9, per_seconds=1),
        retry=RetryPolicy(retries=2, rate_limit_retries=3, sleep=sleep, clock=clock),
        timeout=Timeout(total=_LONGEST_JOB * _SPEED / 2, attempt=1, connect=5),
        max_connections=50,
    )


def _share_out(emulator: EmulatorThread, rng: random.Random) -> None:
    """Give each user favorites of their own."""
    world = emulator.state
    for user in USERS:
        share = rng.uniform(0.5, 1.0)
        emulator.favorite(user, *(row for row in list(world.itwins) if rng.random() < share))
        emulator.favorite(user, *(row for row in list(world.imodels) if rng.random() < share))


async def _work(storm: Storm, outcome: Outcome, end: float) -> None:
    jobs, weights = zip(*JOBS, strict=True)
    while time.monotonic() < end:
        job: Callable[[Storm], Awaitable[None]] = storm.rng.choices(jobs, weights)[0]
        name = job.__name__
        try:
            async with asyncio.timeout(_LONGEST_JOB):
                await job(storm)
        except ITwinError as error:
            outcome.errors[type(error).__name__] += 1
        except TimeoutError:
            outcome.wrong.append(f"{name} hangs")
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be
            outcome.wrong.append(f"{name}: {error!r}")
        else:
            outcome.jobs[name] += 1


async def _check_leaks(
    outcome: Outcome, tasks_before: set[asyncio.Task[object]], sockets_before: int
) -> None:
    left = asyncio.all_tasks() - tasks_before
    if left:
        outcome.wrong.append(f"tasks are left: {left}")
    for _ in range(200):
        if _sockets() <= sockets_before:
            return
        await asyncio.sleep(0.01)
    outcome.wrong.append(f"sockets are left: {_sockets() - sockets_before}")


def _sockets() -> int:
    """Count the open sockets of this process; 0 where the system does not tell."""
    folder, found = Path("/proc/self/fd"), 0
    for entry in list(folder.iterdir()) if folder.is_dir() else ():
        try:
            found += str(entry.readlink()).startswith("socket:")
        except OSError:
            continue  # closed meanwhile
    return found
