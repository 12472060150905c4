"""Stream a list in this process and print its peak memory in megabytes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.ours import Ours
from benchmarks.plan import Plan


def peak() -> float:
    """
    Give this process's peak memory.

    Returns:
        Megabytes.
    """
    status = Path("/proc/self/status")
    if status.exists():
        # What ``getrusage`` tells includes the parent's peak where a child was started by vfork.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # noqa: PLC0415 - not on every system

    scale = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def main(url: str, amount: int) -> None:
    """
    Stream all items, then print the peak.

    Args:
        url: base URL of the server.
        amount: how many items are expected.
    """
    done = asyncio.run(Ours().run(url, Plan("memory", "memory", "imodels", amount)))
    if done != amount:
        raise SystemExit(f"{done} of {amount} items came")
    print(f"{peak():.2f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
