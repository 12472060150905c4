"""Lists of a test's own making, in place of those of a platform."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import attrs

from itwin_async import harvest


@attrs.define
class Thing:
    id: str
    name: str | None = None
    size: int | None = None


@attrs.define
class MadePage:
    items: list[Any]
    cursor: str
    next: str | None
    raw: bytes = b""
    undecoded: tuple[Any, ...] = ()

    def raw_items(self) -> list[bytes]:
        return [json.dumps(attrs.asdict(item)).encode() for item in self.items]


@attrs.define
class MadePager:
    """Gives pages from the one that its cursor names; a page that is an error is raised."""

    all_pages: Sequence[Sequence[Any] | BaseException]
    start: int = 0

    async def pages(self, *, tolerant: bool = False) -> AsyncIterator[MadePage]:
        for number in range(self.start, len(self.all_pages)):
            content = self.all_pages[number]
            if isinstance(content, BaseException):
                raise content
            last = number + 1 == len(self.all_pages)
            yield MadePage(list(content), str(number + 1), None if last else "more")


def made(
    lists: Mapping[str, Sequence[Sequence[Any] | BaseException]],
    cls: type = Thing,
    *,
    outer: Callable[..., Any] | None = None,
    before: Callable[[str], object] = lambda _: None,
) -> harvest.Source[Any]:
    """A source of lists of pages."""

    def inner(_: object, key: str, *, page_size: int, cursor: str | None) -> Any:
        before(key)
        return MadePager(lists[key], int(cursor or 0))

    return harvest.Source("made", cls, inner, outer=outer, keys=tuple(lists), table="things")
