"""How the two kinds of lists answer."""

from __future__ import annotations

from .server import Reply, Respond, Seen, next_link, refusal, thing_page


class SkipList:
    """A list paged by ``$top`` and ``$skip``, which may change between two requests."""

    def __init__(self, length: int, *, cap: int = 1000, extra_next: bool = False) -> None:
        self.rows = list(range(length))
        self.cap = cap
        self.extra_next = extra_next
        self.path = "/Things"

    def __call__(self, seen: Seen) -> Reply:
        top, skip = int(seen.query("$top") or 100), int(seen.query("$skip") or 0)
        size = min(top, self.cap)
        rows = self.rows[skip : skip + size]
        more = skip + size < len(self.rows) or (self.extra_next and rows)
        stem = f"http://{seen.headers['host']}{self.path}"
        href = f"{stem}?$skip={skip + size}&$top={top}" if more else None
        return thing_page(rows, links=next_link(href))


def token_list(length: int) -> Respond:
    """A list paged by tokens, which are made only if asked for by an empty one."""

    def respond(seen: Seen) -> Reply:
        top, token = int(seen.query("$top") or 100), seen.query("$continuationToken")
        if token is None:
            return refusal(422)
        start = int(token.removeprefix("at")) if token else 0
        rows = range(length)[start : start + top]
        stem = f"http://{seen.headers['host']}/things?kind=odd&$top={top}&$continuationToken=at"
        return thing_page(
            rows, links=next_link(f"{stem}{start + top}" if start + top < length else None)
        )

    return respond


def book(*pages: tuple[list[int], object]) -> Respond:
    """
    Numbered pages: ``/things?...`` is page 0, ``/things?p=N`` page N; each with its ``_links``.
    """

    def respond(seen: Seen) -> Reply:
        rows, links = pages[int(seen.query("p") or 0)]
        return thing_page(rows, links=links)

    return respond
