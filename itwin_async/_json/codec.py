"""Bytes to models: the fast path where it is allowed, the converter's verdict everywhere else."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec

from itwin_async._json.converter import Converter, kind_of, structure
from itwin_async._json.fast_path import decoder
from itwin_async._json.naming import wire_name
from itwin_async._paging.links import page_links
from itwin_async.errors import DecodeError
from itwin_async.models import PageLinks

T = TypeVar("T")

_OPAQUE = re.compile(r"(?<=bearer )\S+|[^\s<>]{24,}", re.IGNORECASE)  # may be a token


class Codec:
    """
    Bytes to models and back, with one converter.

    Args:
        converter: defines what every model means.

    """

    def __init__(self, converter: Converter) -> None:
        self.converter = converter

    def page(
        self, body: bytes, item: type[T], key: str, spent: list[T] | None = None
    ) -> tuple[list[T], PageLinks]:
        """
        Decode one page of a list.

        Args:
            body: JSON text of the answer.
            item: class of the items.
            key: member that holds the items.
            spent: items of a page that is done with; emptied if the decoding succeeds.

        Returns:
            The items and the paging links.

        Raises:
            DecodeError: the body is not such a page.
            PaginationError: a link is malformed.

        """
        items, links = self._decode(body, item, key, many=True, spent=spent)
        return cast("list[T]", items), page_links(links)

    def one(self, body: bytes, cls: type[T], key: str) -> T:
        """
        Decode the envelope of one entity.

        Args:
            body: JSON text of the answer.
            cls: class of the entity.
            key: member that holds it.

        Returns:
            The entity.

        Raises:
            DecodeError: the body is not such an envelope.

        """
        return cast("T", self._decode(body, cls, key, many=False)[0])

    def _decode(
        self, body: bytes, cls: type, key: str, *, many: bool, spent: list[Any] | None = None
    ) -> tuple[Any, Any]:
        decoders = self.converter.decoders
        slot = (cls, key, many)
        if slot not in decoders:
            touched = self.converter.is_touched(cls)
            decoders[slot] = None if touched else decoder(cls, key, wire_name, many=many)
        fast = decoders[slot]
        collecting = gc.isenabled()
        if collecting:
            # Thousands of objects that all live on: each collection meanwhile would be in vain.
            gc.disable()
        try:
            result = self._by_fast_path(body, fast) if fast is not None else None
            if result is None:
                result = self._by_converter(parse(body), cls, key, many=many)
            if spent is not None:
                # As many objects go as came: for the collector there is nothing to be done then.
                spent.clear()
            return result
        finally:
            if collecting:
                gc.enable()

    @staticmethod
    def _by_fast_path(
        body: bytes, fast: Callable[[bytes], tuple[Any, Any]]
    ) -> tuple[Any, Any] | None:
        try:
            if not body.isascii():
                body.decode()  # members that no model knows are skipped unseen
            return fast(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None  # the converter gives the verdict, and the words for it

    def _by_converter(self, value: object, cls: type, key: str, *, many: bool) -> tuple[Any, Any]:
        if not isinstance(value, dict):
            raise DecodeError(f"expected an object, got {kind_of(value)}", json_path="$")
        envelope: dict[str, object] = value
        if key not in envelope:
            found = ", ".join(sorted(envelope)[:5]) or "nothing"
            raise DecodeError(f"the member {key!r} is missing; found {found}", json_path="$")
        content = envelope[key]
        if not many:
            return structure(self.converter, content, cls, f"$.{key}"), None
        if not isinstance(content, list):
            path = f"$.{key}"
            raise DecodeError(f"expected a list, got {kind_of(content)} at {path}", json_path=path)
        entries: list[object] = content
        items: list[Any] = [
            structure(self.converter, entry, cls, f"$.{key}[{index}]")
            for index, entry in enumerate(entries)
        ]
        return items, envelope.get("_links")


def parse(body: bytes) -> object:
    """
    Parse JSON text.

    Args:
        body: the text.

    Returns:
        Plain Python values.

    Raises:
        DecodeError: it is not JSON.

    """
    if not body:
        raise DecodeError("the answer has no body")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        text = str(problem) if isinstance(problem, msgspec.DecodeError) else type(problem).__name__
    start = " ".join(body[:60].decode("utf-8", "replace").split())
    start = _OPAQUE.sub("***", start)
    raise DecodeError(f"the answer is not JSON ({text}); it begins with {start!r}")
