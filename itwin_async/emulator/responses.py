"""A request as the operations see it, and the answer they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
import msgspec

if TYPE_CHECKING:
    from itwin_async.emulator.json_types import Json

JSON_TYPE = "application/json; charset=utf-8"


@attrs.frozen
class Answer:
    """
    What goes back.

    Args:
        status: the HTTP status.
        body: the bytes of the body.
        headers: the headers, the content type among them.
        refused: why the platform would not have taken such a request from anybody; empty for a
            request that is well formed.

    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    refused: str = ""


def json_answer(status: int, content: Json, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(
        status, msgspec.json.encode(content), {"Content-Type": JSON_TYPE, **(headers or {})}
    )


def no_content() -> Answer:
    """Return the answer of an operation that has nothing to say."""
    return Answer(204)
