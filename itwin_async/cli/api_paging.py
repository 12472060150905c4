"""Any list of the platform, walked by its own links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

import attrs
import click

from itwin_async import catalog
from itwin_async._http.attempt import Response
from itwin_async._http.urls import target
from itwin_async._paging.cursor import CursorCodec, Position
from itwin_async._paging.iterators import PageIterator
from itwin_async._paging.links import follow
from itwin_async._paging.prefetch import PageSource
from itwin_async.errors import DecodeError
from itwin_async.operations import ListOperation, Operation
from itwin_async.paging import MAX_PAGE_SIZE
from itwin_async.session import Session, internals_of


@attrs.frozen
class _Item:
    """An item of any kind; its members are read from the page's text."""


async def pages_of(
    session: Session,
    path: str,
    headers: Mapping[str, str],
    key: str | None,
    limit: int | None,
) -> PageIterator[_Item]:
    """
    Request the first page of a list, and iterate over all.

    Args:
        session: the session.
        path: request target of the first page.
        headers: headers of every page.
        key: member that holds the items; found by itself if there is only one list.
        limit: most items that are wanted.

    Raises:
        ITwinError: as ``Session.request``.
        UsageError: the member with the items is not to be found.

    """
    operation = operation_at("GET", path)
    known = operation if isinstance(operation, ListOperation) else None
    path = _complete(path, known, limit)
    first: list[Response] = [await session.request("GET", path, headers=headers)]

    async def fetch(page: str) -> Response:
        if first and page == path:
            return first.pop()
        return await session.request("GET", page, headers=headers)

    internals = internals_of(session)
    source = PageSource(
        fetch,
        internals.client.spawn,
        partial(follow, internals.client.base, rewrite=internals.rewrite_links),
        internals.codec,
        _Item,
        key or _key(first[0], known),
        numbered=False,
        cursors=CursorCodec("api", path.partition("?")[0], ()),
    )
    prefetch = 0 if limit is not None and limit <= MAX_PAGE_SIZE else 1
    return PageIterator(source, Position(path), prefetch=prefetch, concurrency=1)


def operation_at(method: str, path: str) -> Operation | None:
    """Find the operation of a method and a path, with or without host and query."""
    asked = re.sub(r"^https?://[^/]+", "", path.partition("?")[0]).strip("/").lower()
    found: list[Operation] = []
    for entry in catalog.operations():
        operation = entry.operation
        parts = re.split(r"\{\w+\}", operation.path.strip("/").lower())
        if operation.method == method and re.fullmatch("[^/]+".join(map(re.escape, parts)), asked):
            found.append(operation)
    # /imodels/favorites is no iModel of this id.
    return min(found, key=lambda operation: operation.path.count("{"), default=None)


def _complete(path: str, known: ListOperation[object] | None, limit: int | None) -> str:
    query = path.partition("?")[2].lower().replace("%24", "$")
    pairs: list[tuple[str, str]] = []
    if known is not None and known.paging != "none" and "$top=" not in query:
        pairs.append(("$top", str(min(limit or MAX_PAGE_SIZE, MAX_PAGE_SIZE))))
    by_token = known is not None and known.paging in {"token", "both"}
    if by_token and "$skip=" not in query and "$continuationtoken=" not in query:
        # The platform makes tokens only if asked for by an empty one.
        pairs.append(("$continuationToken", ""))
    return target(path, pairs)


def _key(response: Response, known: ListOperation[object] | None) -> str:
    body: object = response.json()
    members = body if isinstance(body, dict) else {}
    lists = [str(name) for name, value in members.items() if isinstance(value, list)]
    if known is not None and known.key in lists:
        return known.key
    if len(lists) == 1:
        return lists[0]
    if lists:
        raise click.UsageError(f"give --key: there are several lists, {', '.join(lists)}")
    raise response.blame(DecodeError("--paginate: the answer has no member that is a list"))
