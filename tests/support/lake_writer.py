"""
Commits made-up lists to a PostgreSQL target, in a process of its own: URL, seed, count of lists.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime

from itwin_async.harvest.lake.postgres import PostgresTarget
from itwin_async.harvest.lake.protocol import LakeTable, ListRows
from itwin_async.harvest.rows import Row
from itwin_async.itwins import ITwinSummary

TABLE = LakeTable("things", "made", ITwinSummary)
IDENTITY = {"source": "made"}


def list_rows(number: int, name: str | None = None) -> ListRows:
    now = datetime.now(UTC)
    key = f"list {number}"
    rows = [
        Row(key, name, f"{number}-{each}", text(f"{number}-{each}"), now, now, now)
        for each in range(number % 50)
    ]
    return ListRows(key, name, rows)


def text(name: str) -> bytes:
    return json.dumps({"id": name, "class": "Thing", "displayName": f"é {name}"}).encode()


def main(url: str, seed: str, count: str) -> None:
    chance = random.Random(seed)
    target = PostgresTarget(url)
    target.prepare(IDENTITY, [TABLE])
    numbers = list(range(int(count)))
    chance.shuffle(numbers)
    print("started", flush=True)
    added = 0
    while numbers:
        part = [numbers.pop() for _ in range(min(len(numbers), chance.randint(1, 7)))]
        added += target.commit("things", [list_rows(number) for number in part])
    print(added, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
