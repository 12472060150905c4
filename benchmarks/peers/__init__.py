"""Other clients that do the same work; each is imported only where it can be."""

from __future__ import annotations

from importlib import import_module

from benchmarks.sides import NotOffered, Side

PEERS = {
    "aiohttp": "untyped",
    "httpx": "httpx_pydantic",
    "openapi": "generated",
    "typescript": "typescript",
}


def peer(name: str) -> Side:
    """
    Make another client.

    Args:
        name: a key of ``PEERS``.

    Returns:
        The client.

    Raises:
        NotOffered: it is not installed here, and cannot be.
    """
    try:
        side: Side = import_module(f"benchmarks.peers.{PEERS[name]}").side()
    except ImportError as missing:
        raise NotOffered(str(missing)) from None
    return side
