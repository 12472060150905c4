"""A browser without a window: opens an address and follows its redirects."""

from __future__ import annotations

import secrets
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs, urlencode, urlsplit


def free_port() -> int:
    """
    Find a port that nothing listens on.

    It lies below those that systems give to connections, where another process would have it soon.
    """
    while True:
        port = 15_000 + secrets.randbelow(17_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def visit(url: str) -> tuple[int, str]:
    """Fetch a page, redirects followed."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Browser:
    """Signs a user in and remembers what it saw."""

    def __init__(self, user: str = "demo", *, more: str = "") -> None:
        self.more = more or f"&user={user}"
        self.urls: list[str] = []
        self.pages: list[tuple[int, str]] = []

    def __call__(self, url: str) -> bool:
        self.urls.append(url)
        self.pages.append(visit(url + self.more))
        return True

    def query(self) -> dict[str, str]:
        """What the sign-in page was asked."""
        found = parse_qs(urlsplit(self.urls[-1]).query)
        return {name: values[0] for name, values in found.items()}


def answering(**members: str) -> Callable[[str], object]:
    """
    Go straight to the redirect address with an answer; ``state=""`` stands for the right one.
    """

    def go(url: str) -> object:
        asked = parse_qs(urlsplit(url).query)
        if members.get("state") == "":
            members["state"] = asked["state"][0]
        pages.append(visit(f"{asked['redirect_uri'][0]}?{urlencode(members)}"))
        return True

    pages: list[tuple[int, str]] = []
    go.pages = pages  # type: ignore[attr-defined]
    return go


if __name__ == "__main__":
    status, _ = visit(sys.argv[1] + "&user=demo")
    sys.exit(0 if status == 200 else 1)
