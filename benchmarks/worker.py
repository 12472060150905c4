"""
One side in a process of its own: none warms the allocator, or fills the collector, of another.

``python -m benchmarks.worker SIDE`` reads a line of JSON for each run and answers it with one;
``python -m benchmarks.worker SIDE URL PLAN ROUNDS`` just runs, for a tool that counts instructions.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

import attrs

from benchmarks.ours import Ours
from benchmarks.peers import peer
from benchmarks.plan import Plan
from benchmarks.raw import Raw
from benchmarks.sides import NotOffered, Side

BEGIN, END = "getpgid", "getsid"  # what is called around the rounds that are counted
ROOT = Path(__file__).resolve().parent.parent


class Answer(TypedDict, total=False):
    """What a worker says: who it is, or what came of a run: seconds, or why there was none."""

    wall: float
    cpu: float
    skipped: str
    name: str
    apart: bool


@attrs.frozen
class Worker:
    """
    A process that does one side's work.

    Attributes:
        name: what the table calls the side.
        apart: whether the side computes in yet another process, so that its CPU time is not known.
    """

    name: str
    apart: bool
    _child: subprocess.Popen[str] = attrs.field(repr=False)

    def run(self, url: str, plan: Plan) -> Answer:
        """Do the whole work of a plan once."""
        return _asked(self._child, {"url": url, "plan": attrs.asdict(plan)})


@contextmanager
def working(side: str, python: str = sys.executable) -> Iterator[Worker]:
    """Run a worker for a side, in an interpreter that has what the side needs."""
    command = [python, "-m", "benchmarks.worker", side]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as child:
        assert child.stdin is not None
        try:
            hello = _asked(child, {})
            yield Worker(hello["name"], hello["apart"], child)
        finally:
            child.stdin.close()


def _asked(child: subprocess.Popen[str], question: dict[str, object]) -> Answer:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(question) + "\n")
    child.stdin.flush()
    line = child.stdout.readline()
    if not line:
        raise RuntimeError(f"the worker of {child.args[-1]} failed")
    answer: Answer = json.loads(line)
    return answer


def made(name: str) -> Side:
    """
    Make a side.

    Args:
        name: ``raw``, ``ours``, one of its kinds, or a peer.

    Raises:
        NotOffered: it is not installed here, and cannot be.
    """
    own: dict[str, Side] = {
        "raw": Raw(),
        "ours": Ours(),
        "ours-by-page": Ours("itwin_async, by page", by_page=True),
        "ours-learning": Ours("itwin_async, learning", knows_quota=False),
        "ours-plain": Ours("itwin_async, plain", compress=False),
        "ours-gzip": Ours("itwin_async, gzip", compress=True),
    }
    return own[name] if name in own else peer(name)


def timed(runner: asyncio.Runner, side: Side, url: str, plan: Plan) -> Answer:
    """Do the work of a plan once, behind a full garbage collection."""
    gc.collect()
    computed, start = time.process_time(), time.perf_counter()
    try:
        done = runner.run(side.run(url, plan))
    except NotOffered as reason:
        return {"skipped": str(reason)}
    answer = Answer(wall=time.perf_counter() - start, cpu=time.process_time() - computed)
    if done != plan.amount:
        raise RuntimeError(f"{side.name} did {done} of {plan.amount} at {plan.name!r}")
    return answer


def main(name: str, *counted: str) -> None:
    """Run what is asked for."""
    with asyncio.Runner() as runner:
        try:
            side = made(name)
        except NotOffered as reason:
            _refuse(name, str(reason))
            return
        try:
            if counted:
                url, plan, rounds = counted
                work = Plan(**json.loads(plan))
                for _ in range(2):
                    timed(runner, side, url, work)
                os.getpgid(0)
                for _ in range(int(rounds)):
                    runner.run(side.run(url, work))
                os.getsid(0)
                return
            for line in sys.stdin:
                asked = json.loads(line)
                if asked:
                    reply: object = timed(runner, side, asked["url"], Plan(**asked["plan"]))
                else:
                    reply = {"name": side.name, "apart": side.apart}
                print(json.dumps(reply), flush=True)
        finally:
            runner.run(side.close())


def _refuse(name: str, reason: str) -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        reply = {"skipped": reason} if asked else {"name": name, "apart": False}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
