"""
The workloads: how much is read or written, from what kind of server, and what is to be reached.
"""

from __future__ import annotations

from ssl import SSLContext, create_default_context
from typing import Literal, get_args

import attrs

Kind = Literal["imodels", "itwins", "writes", "start"]
Script = Literal["latin", "cyrillic", "cjk", "emoji"]
SCRIPTS: tuple[Script, ...] = get_args(Script)

ITWIN_ID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
TOKEN = "benchmark"


@attrs.frozen
class Plan:
    """
    One workload.

    Attributes:
        name: what ``--only`` takes.
        title: its row in the table.
        kind: what is called; ``"itwins"`` is the list that is numbered by ``$skip``; ``"start"`` is
            the first item of a list in a new process.
        amount: items in the list, or calls to make; a multiple of ``page_size``.
        page_size: items a page.
        full: whether items are whole or minimal.
        latency: seconds that the server waits before each answer.
        pause: seconds that the consumer works on each page.
        concurrency: pages, or calls, that our side has under way at once.
        goals: the sides that are compared with the first, and the ratios that they are to reach.
        megabits: speed of the network in million bits a second; 0 for no limit.
        allowed: calls that the server allows in ``per_seconds``; 0 for any number.
        per_seconds: length of the server's fixed window, or the time in which its bucket gets
            ``allowed`` calls.
        burst: calls that the server's bucket holds; 0 for a fixed window.
        script: script that the names are written in.
        tls: whether the server speaks TLS.
        authority: file with the certificate of whom its certificate is signed by.
    """

    name: str
    title: str
    kind: Kind
    amount: int
    page_size: int = 1000
    full: bool = True
    latency: float = 0.0
    pause: float = 0.0
    concurrency: int = 1
    goals: dict[str, float] = attrs.field(factory=dict[str, float])
    megabits: float = 0.0
    allowed: int = 0
    per_seconds: float = 1.0
    burst: int = 0
    script: Script = "latin"
    tls: bool = False
    authority: str = ""

    @property
    def prefer(self) -> str:
        return "return=representation" if self.full else "return=minimal"

    @property
    def sides(self) -> list[str]:
        """Who does it, the measure of the others first."""
        return ["ours-plain" if self.megabits else "raw", *self.goals]

    @property
    def rounds(self) -> int:
        """How many rounds say enough; what is paced hardly varies, and takes long."""
        return 2 if self.allowed else 1000

    @property
    def trust(self) -> SSLContext | bool:
        """What aiohttp takes as ``ssl=``."""
        return create_default_context(cafile=self.authority) if self.authority else True


def plans(*, quick: bool) -> list[Plan]:
    return [
        _reading("full", 10_000 if quick else 100_000, {"ours": 0.80}),
        _reading(
            "minimal",
            20_000 if quick else 100_000,
            {"ours": 1.00, "ours-by-page": 0.90},
            full=False,
        ),
        _reading("pages100", 4_000 if quick else 20_000, {"ours": 0.90}, page_size=100),
        _slow("latency", 5 if quick else 20, "imodels", 1, 0.60),
        _slow("latency4", 8 if quick else 20, "itwins", 4, 0.44),
        _writing(500 if quick else 5_000),
        _paced("bucket", 200 if quick else 4_000, "a bucket of 200/s, bursts of 20", 1.0, 20),
        _paced("window", 200 if quick else 4_000, "windows of 1,000 in 5 s", 5.0, 0),
        _packed(3 if quick else 10),
        Plan("start", "first item of a new process", "start", 200, 100, goals={"ours": 1.10}),
    ]


def _reading(
    name: str,
    amount: int,
    goals: dict[str, float],
    *,
    page_size: int = 1000,
    full: bool = True,
) -> Plan:
    detail = "full" if full else "minimal"
    title = f"{amount:,} {detail} iModels, {page_size} a page"
    return Plan(name, title, "imodels", amount, page_size, full=full, goals=goals)


def _slow(name: str, pages: int, kind: Kind, concurrency: int, goal: float) -> Plan:
    title = f"{pages} pages, 50 ms latency, consumer 30 ms a page"
    if concurrency > 1:
        title += f", concurrency={concurrency}"
    return Plan(
        name,
        title,
        kind,
        pages * 1000,
        latency=0.05,
        pause=0.03,
        concurrency=concurrency,
        goals={"ours": goal},
    )


def _writing(calls: int) -> Plan:
    title = f"{calls:,} PUTs, 50 at once"
    return Plan("writes", title, "writes", calls, concurrency=50, goals={"ours": 0.90})


def _paced(name: str, calls: int, limit: str, seconds: float, burst: int) -> Plan:
    return Plan(
        name,
        f"{calls:,} PUTs, {limit}",
        "writes",
        calls,
        concurrency=50,
        goals={"ours": 1.06, "ours-learning": 1.15},
        allowed=round(200 * seconds),
        per_seconds=seconds,
        burst=burst,
    )


def _packed(pages: int) -> Plan:
    title = f"{pages * 1000:,} full iModels at 100 Mbit/s, plain against gzip"
    return Plan("gzip", title, "imodels", pages * 1000, megabits=100, goals={"ours-gzip": 1.0})
