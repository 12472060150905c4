"""Rules for the links between pages: how they are read, followed and counted with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urljoin

import attrs
from yarl import URL

from itwin_async._http.urls import UNSAFE, origin, origin_text, parse, shown
from itwin_async.errors import PaginationError

_SKIP = re.compile(r"(?<=[?&])((?:\$|%24)skip=)(\d{1,18})(?![^&])", re.IGNORECASE)


@attrs.frozen
class PageLinks:
    """The paging links of an answer, as the platform wrote them; ``None`` where there is none."""

    self: str | None = attrs.field(default=None, alias="itself")
    prev: str | None = None
    next: str | None = None


def read_links(value: object) -> PageLinks:
    """
    Read the parsed ``_links`` member of an answer.

    The documents know three ends of a list: no ``_links``, no ``next`` in it, and null. Anything
    else must be a link that can be followed.

    Raises:
        PaginationError: there is something that is no link.

    """
    if value is None:
        return PageLinks()
    if not isinstance(value, Mapping):
        raise PaginationError(f"malformed paging links: _links is {_kind(value)}, not an object")
    following = value.get("next")
    href = _href(following)
    if following is not None and not href:
        raise PaginationError("malformed paging links: next has no href that is a string")
    return PageLinks(_href(value.get("self")), _href(value.get("prev")), href)


def follow(base: URL, current: str, href: str, *, rewrite: bool = False) -> str:
    """
    Check a link that the platform sent and reduce it to a request target, byte for byte.

    Relative links start at ``current``, the target of the answer that held the link. Only links to
    the origin of ``base`` are followed; ``rewrite`` requests those with another host at ``base``.

    Raises:
        PaginationError: the link is malformed or leads to another origin.

    """
    if UNSAFE.search(href):
        raise _malformed(href)
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
        raise _malformed(href) from None
    if user:
        raise PaginationError("refused a link with user information")
    if where != origin(base) and not rewrite:
        raise PaginationError(
            f"refused a link to another origin: {shown(f'{url.scheme}://{url.raw_authority}')!r} "
            f"is not {str(base.origin())!r}; behind a proxy set rewrite_links=True"
        )
    if tail.startswith("//"):
        raise _malformed(href)
    return tail


def skip_of(target: str) -> int:
    """Read the ``$skip`` of a request target; 0 if there is none."""
    found = _SKIP.search(target)
    return 0 if found is None else int(found[2])


def with_skip(target: str, step: int) -> str | None:
    """Move the ``$skip`` of a request target on, all else byte for byte; ``None`` without one."""
    found = _SKIP.search(target)
    if found is None:
        return None
    return f"{target[: found.start(2)]}{int(found[2]) + step}{target[found.end(2) :]}"


def _malformed(href: str) -> PaginationError:
    return PaginationError(f"refused a malformed link: {shown(href)!r}")


def _tail(absolute: str) -> str:
    start = absolute.find("/", absolute.index("://") + 3)
    mark = absolute.find("?")
    if start == -1 or (mark != -1 and mark < start):
        return "/" + (absolute[mark:] if mark != -1 else "")
    return absolute[start:]


def _href(link: object) -> str | None:
    value = link.get("href") if isinstance(link, Mapping) else None
    return value if isinstance(value, str) and value else None


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"
