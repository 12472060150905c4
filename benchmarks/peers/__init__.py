"""
Other clients that do the same work; each is imported only where it can be.
"""

from __future__ import annotations

from importlib import import_module

from benchmarks.plan import Plan
from benchmarks.sides import NotOffered, Side

_MODULES = {
    "aiohttp + json": "untyped",
    "httpx + pydantic": "httpx_pydantic",
    "openapi-python-client": "generated",
    "official TypeScript": "typescript",
}


class Missing:
    """
    A client that is not installed here.

    Args:
        name: what the table calls it.
        reason: what is missing.
    """

    apart = False

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    async def run(self, url: str, plan: Plan) -> int:
        del url, plan
        raise NotOffered(self._reason)

    async def close(self) -> None:
        return


def peers() -> list[Side]:
    """
    Find the other clients.

    Returns:
        All of them; those that are missing say so when they are run.
    """
    found: list[Side] = []
    for name, module in _MODULES.items():
        try:
            side: Side = import_module(f"benchmarks.peers.{module}").side()
        except (ImportError, NotOffered) as reason:
            side = Missing(name, str(reason))
        found.append(side)
    return found
