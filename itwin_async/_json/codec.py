"""
Bytes to models: by the fast path where it is allowed, by the converter everywhere else.

The converter is loaded where it is needed, for cattrs takes an eighth of the time to start.
"""

from __future__ import annotations

import codecs
import gc
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
import msgspec

from itwin_async._arguments import instance
from itwin_async._json.fast_path import PACKAGE_DECODERS, Decode
from itwin_async.errors import DecodeError

if TYPE_CHECKING:
    from itwin_async._json.converter import Converter

T = TypeVar("T")

_SLICE = 16 * 1024


@attrs.frozen
class Undecoded:
    """
    An item of a page that is not what the platform documents.

    Attributes:
        index: where it stands in the page as the platform sent it.
        raw: its JSON text.
        error: what is wrong with it.

    """

    index: int
    raw: bytes
    error: str


class Codec:
    """
    Bytes to models, with one converter.

    Args:
        converter: defines what every model means; by default the package's.
        pause_collector: keep Python's garbage collector from running while a body is decoded.

    Raises:
        ArgumentError: ``converter`` is none.

    """

    def __init__(self, converter: Converter | None = None, *, pause_collector: bool = True) -> None:
        self._converter = None if converter is None else _checked(converter)
        self._pause_collector = pause_collector

    @property
    def converter(self) -> Converter:
        """What defines every model."""
        return _package_converter() if self._converter is None else self._converter

    def page(
        self, body: bytes, item: type[T], key: str, spent: list[T] | None = None
    ) -> tuple[list[T], object]:
        """
        Decode a page to its items and its ``_links`` member.

        ``spent`` are the items of a page that is done with; emptied if the decoding succeeds.

        Raises:
            DecodeError: the body is not such a page.

        """
        items, links = self._decode(body, item, key, many=True, spent=spent)
        return cast("list[T]", items), links

    def page_by_item(
        self, body: bytes, item: type[T], key: str
    ) -> tuple[list[T], object, list[Undecoded]]:
        """
        Decode a page without the items that do not decode.

        Raises:
            DecodeError: the body is not such a page.

        """
        from itwin_async._json.converter import structure  # noqa: PLC0415

        envelope = parse(body)
        if not isinstance(envelope, dict) or not isinstance(envelope.get(key), list):
            return *self.page(body, item, key), []
        items: list[T] = []
        odd: list[Undecoded] = []
        texts = raw_entries(body, key)
        for index, (text, entry) in enumerate(zip(texts, envelope[key], strict=True)):
            try:
                items.append(structure(self.converter, entry, item, f"$.{key}[{index}]"))
            except DecodeError as error:
                odd.append(Undecoded(index, text, str(error)))
        return items, envelope.get("_links"), odd

    def member(self, body: bytes, kind: type[T], key: str) -> T:
        """
        Decode one member of an object: an entity in its envelope, or a plain value.

        Raises:
            DecodeError: the body is not such an object.

        """
        return cast("T", self._decode(body, kind, key, many=False)[0])

    def structure(self, value: object, cls: type[T]) -> T:
        """Read parsed JSON as a type."""
        from itwin_async._json.converter import structure  # noqa: PLC0415

        return structure(self.converter, value, cls, "$")

    def _decode(
        self, body: bytes, cls: type, key: str, *, many: bool, spent: list[Any] | None = None
    ) -> tuple[Any, Any]:
        decoders = PACKAGE_DECODERS if self._converter is None else self._converter.decoders
        fast = decoders.find(cls, key, many=many)
        collecting = self._pause_collector and gc.isenabled()
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
    def _by_fast_path(body: bytes, fast: Decode) -> tuple[Any, Any] | None:
        try:
            if not body.isascii():
                _check_text(body)  # members that no model knows are skipped unseen
            return fast(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None  # the converter reads more forms, and words the errors

    def _by_converter(self, value: object, cls: type, key: str, *, many: bool) -> tuple[Any, Any]:
        from itwin_async._json.converter import kind_of, structure  # noqa: PLC0415

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


def raw_entries(body: bytes, key: str) -> list[bytes]:
    """Cut out the JSON text of each entry of a list in an envelope."""
    members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return [bytes(entry) for entry in msgspec.json.decode(members[key], type=list[msgspec.Raw])]


def to_dict(model: attrs.AttrsInstance) -> dict[str, object]:
    """
    Write a model with the platform's names and plain values, ready for JSON.

    Members that are ``None`` are left out: the platform may never have sent them.
    """
    return cast("dict[str, object]", _package_converter().unstructure(model))


def _package_converter() -> Converter:
    from itwin_async._json.converter import converter  # noqa: PLC0415

    return converter


def _checked(given: object) -> Converter:
    from itwin_async._json.converter import Converter  # noqa: PLC0415

    return instance("converter", given, Converter, "a Converter or None")


def _check_text(body: bytes) -> None:
    # As one text, a page in other scripts than Latin takes four times its size.
    view, size, start = memoryview(body), len(body), 0
    while start < size:
        end = start + _SLICE
        start += codecs.utf_8_decode(view[start:end], "strict", end >= size)[1]


def parse(body: bytes) -> object:
    """
    Parse JSON text.

    Raises:
        DecodeError: it is not JSON.

    """
    if not body:
        raise DecodeError("the answer has no body")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        text = str(problem) if isinstance(problem, msgspec.DecodeError) else type(problem).__name__
    raise DecodeError(f"the answer is not JSON ({text})")
