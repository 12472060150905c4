"""Where our side spends its time."""

from __future__ import annotations

import asyncio
import cProfile
import io
import pstats

from benchmarks.ours import Ours
from benchmarks.plan import Plan
from benchmarks.process import serving


def profile(plan: Plan, lines: int = 20) -> str:
    """
    Profile one run of our side, after a warm-up.

    Args:
        plan: the workload.
        lines: how many functions to list.

    Returns:
        The functions that took most time by themselves.
    """
    watch = cProfile.Profile()
    with serving(plan) as server, asyncio.Runner() as runner:
        runner.run(Ours().run(server.url, server.plan))
        watch.enable()
        runner.run(Ours().run(server.url, server.plan))
        watch.disable()
    text = io.StringIO()
    pstats.Stats(watch, stream=text).sort_stats("tottime").print_stats(lines)
    return f"{plan.title}\n{text.getvalue()}"
