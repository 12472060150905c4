"""Rules for the links between pages: read them, follow them, count with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urljoin

import msgspec
from yarl import URL

from itwin_async._http.urls import UNSAFE, origin, origin_text, parse, shown
from itwin_async.errors import PaginationError
from itwin_async.models import PageLinks

_PAGE_LINKS = re.compile(rb'"_links"\s*:')


_MEMBERS = msgspec.json.Decoder(dict[str, object])


_TAIL_LIMIT = 16 * 1024


_SKIP = re.compile(r"(?<=[?&])((?:\$|%24)skip=)(\d{1,18})(?![^&])", re.IGNORECASE)


def follow(base: URL, current: str, href: str, *, rewrite: bool = False) -> str:
    """
    Check a link that the platform sent and reduce it to a request target.

    Args:
        base: the session's base URL; the only origin that gets the token.
        current: request target of the answer that held the link; relative links start there.
        href: the link.
        rewrite: accept a link with another host and request its path and query at ``base``.

    Returns:
        Path and query, byte for byte as the platform wrote them.

    Raises:
        PaginationError: the link is malformed or leads to another origin.

    """
    if UNSAFE.search(href):
        raise PaginationError(f"refused a malformed link: {shown(href)!r}")
    before = origin_text(base)
    if href.startswith(f"{before}/") and href[len(before) + 1 : len(before) + 2] != "/":
        return href[len(before) :].partition("#")[0]
    try:
        absolute = href if "://" in href.split("?", 1)[0] else urljoin(before + current, href)
        url = parse(absolute)
        where = origin(url)
        user = url.raw_user is not None or url.raw_password is not None
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError
        tail = _tail(absolute.partition("#")[0])
    except ValueError:
        raise PaginationError(f"refused a malformed link: {shown(href)!r}") from None
    if user:
        raise PaginationError("refused a link with user information")
    if where != origin(base) and not rewrite:
        raise PaginationError(
            f"refused a link to another origin: {shown(f'{url.scheme}://{url.raw_authority}')!r} "
            f"is not {str(base.origin())!r}; behind a proxy set rewrite_links=True"
        )
    if tail.startswith("//"):
        raise PaginationError(f"refused a malformed link: {shown(href)!r}")
    return tail


def page_links(value: object) -> PageLinks:
    """
    Read the ``_links`` member of an answer, tolerant of everything that means "no link".

    Args:
        value: the member as parsed; may be missing (``None``).

    Returns:
        The links.

    Raises:
        PaginationError: a link has an address that is not a text.

    """
    if not isinstance(value, Mapping):
        return PageLinks()
    return PageLinks(*(_href(value.get(name), name) for name in ("self", "prev", "next")))


def _tail(absolute: str) -> str:
    start = absolute.find("/", absolute.index("://") + 3)
    mark = absolute.find("?")
    if start == -1 or (mark != -1 and mark < start):
        return "/" + (absolute[mark:] if mark != -1 else "")
    return absolute[start:]


def _href(link: object, name: str) -> str | None:
    value = link.get("href") if isinstance(link, Mapping) else None
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise PaginationError(f"refused a malformed link: the address of {name!r} is not a text")
    return value


def peek_links(body: bytes) -> PageLinks | None:
    """
    Read the paging links from the end of a page without decoding its items.

    Args:
        body: JSON text of a page.

    Returns:
        The links; ``None`` if they do not stand at the end, or not plainly.

    """
    start = body.rfind(b'"_links"')
    if start < 0 or len(body) - start > _TAIL_LIMIT or not _PAGE_LINKS.match(body, start):
        return None
    try:
        # Only where the member closes the whole body is what follows it one closing brace.
        tail = _MEMBERS.decode(b"{" + body[start:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return page_links(tail["_links"])


def skip_of(target: str) -> int | None:
    """
    Read the ``$skip`` of a request target.

    Args:
        target: the request target.

    Returns:
        The number; ``None`` if there is none.

    """
    found = _SKIP.search(target)
    return None if found is None else int(found[2])


def with_skip(target: str, step: int) -> str | None:
    """
    Write the request target some rows further on, all else byte for byte the same.

    Args:
        target: a request target.
        step: how many rows.

    Returns:
        The request target; ``None`` if this one has no ``$skip``.

    """
    found = _SKIP.search(target)
    if found is None:
        return None
    return f"{target[: found.start(2)]}{int(found[2]) + step}{target[found.end(2) :]}"
