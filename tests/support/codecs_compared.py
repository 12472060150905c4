from __future__ import annotations

import json
from typing import Any

from itwin_async import Converter, DecodeError
from itwin_async._json.codec import Codec


class Mark:
    """A class that no body holds; a hook for it touches nothing."""


def slow_codec() -> Codec:
    """A codec that leaves everything to the converter."""
    converter = Converter()
    converter.decoders.heed(lambda _: True)
    return Codec(converter)


FAST, SLOW = Codec(Converter()), slow_codec()


def envelope(*items: Any, key: str = "items") -> bytes:
    return json.dumps({key: items, "_links": {"self": {"href": "/x"}}}).encode()


def verdict(codec: Codec, body: bytes, cls: type, key: str = "items") -> object:
    """What comes of a body: the objects and their exact classes, or the words of the refusal."""
    try:
        items, links = codec.page(body, cls, key)
    except DecodeError as error:
        return str(error), error.json_path
    return repr(items), items, [type(item) for item in items], links


def assert_same(body: bytes, cls: type, key: str = "items") -> object:
    fast, slow = verdict(FAST, body, cls, key), verdict(SLOW, body, cls, key)
    assert fast == slow
    return fast
