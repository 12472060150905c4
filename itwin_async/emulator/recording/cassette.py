"""A cassette: requests and answers of a real platform, without its secrets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

import attrs
import msgspec

if TYPE_CHECKING:
    import os

    from itwin_async.emulator.json_types import Json, JsonObject

ORIGIN = "https://itwin.invalid"
_VERSION = 1
_HIDDEN = "***"
_SECRET_NAMES = {
    "access_token", "refresh_token", "id_token", "client_secret", "code_verifier", "sastoken",
    "password", "sharekey", "authorization", "secret", "apikey",
}  # fmt: skip
_SIGNED = re.compile(
    r"((?:^|[?&])(?:sig|signature|token|x-goog-signature|x-amz-[a-z-]+)=)[^&\"\s]+", re.IGNORECASE
)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_KEPT_HEADERS = {
    "content-type",
    "location",
    "retry-after",
    "x-max-return",
    "create-imodel-operation",
}
_KEPT_PREFIX = "itwinplatform-"


class CassetteError(ValueError):
    """A file that is no cassette."""


@attrs.frozen(kw_only=True)
class Interaction:
    """
    A request and its answer.

    Args:
        method: the HTTP method.
        path: the path as it was sent.
        query: the query as it was sent.
        prefer: the header `Prefer`.
        accept: the header `Accept`.
        authorized: whether a token was sent.
        status: the HTTP status.
        headers: the headers of the answer that matter.
        body: the body of the answer.

    """

    method: str
    path: str
    query: str = ""
    prefer: str = ""
    accept: str = ""
    authorized: bool = True
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""

    @property
    def key(self) -> tuple[object, ...]:
        """What a request must share with this one to get the same answer."""
        path = self.path.lower().rstrip("/")
        query = tuple(sorted(parse_qsl(self.query, keep_blank_values=True)))
        return self.method, path, query, self.prefer, self.authorized

    def json(self) -> JsonObject:
        """Return the interaction as a cassette holds it."""
        found: JsonObject = {}
        for name in ("method", "path", "query", "prefer", "accept", "authorized"):
            found[name] = getattr(self, name)
        answer: JsonObject = {"status": self.status, "headers": dict[str, "Json"](self.headers)}
        try:
            answer["json"] = msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            answer["base64"] = base64.b64encode(self.body).decode()
        return {"request": found, "answer": answer}


class Cassette:
    """
    Interactions in the order in which they happened.

    Args:
        interactions: what it holds.

    """

    def __init__(self, interactions: list[Interaction] | None = None) -> None:
        self.interactions = interactions or []

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Cassette:
        """
        Read a cassette.

        Raises:
            CassetteError: the file is none.

        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content["version"] != _VERSION:
                raise CassetteError(f"{path} has version {content['version']}, not {_VERSION}")
            return cls([_read(item) for item in content["interactions"]])
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError):
            raise CassetteError(f"{path} is no cassette") from None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the cassette; an older file is replaced when this one is complete."""
        content = {
            "version": _VERSION,
            "interactions": [interaction.json() for interaction in self.interactions],
        }
        beside = Path(f"{Path(path)}.part")
        beside.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        beside.replace(path)


def scrub_body(body: bytes, secrets: tuple[str, ...]) -> bytes:
    """
    Return a body without secrets.

    Args:
        body: the bytes of an answer.
        secrets: texts that must not be in it.

    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return scrub_text(body.decode("utf-8", "surrogateescape"), secrets).encode(
            "utf-8", "surrogateescape"
        )
    return msgspec.json.encode(_scrub(cast("Json", content), secrets))


def scrub_text(text: str, secrets: tuple[str, ...]) -> str:
    """Return a text without secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, _HIDDEN)
    return _JWT.sub(_HIDDEN, _SIGNED.sub(rf"\g<1>{_HIDDEN}", text))


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an answer that a replay needs."""
    return {
        name: value
        for name, value in headers.items()
        if name.lower() in _KEPT_HEADERS or name.lower().startswith(_KEPT_PREFIX)
    }


def _scrub(value: Json, secrets: tuple[str, ...]) -> Json:
    if isinstance(value, dict):
        return {name: _scrub_member(name.lower(), item, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_scrub(item, secrets) for item in value]
    return scrub_text(value, secrets) if isinstance(value, str) else value


def _scrub_member(name: str, item: Json, secrets: tuple[str, ...]) -> Json:
    if name in _SECRET_NAMES and isinstance(item, str):
        return _HIDDEN
    if name == "authentication" and isinstance(item, dict) and "value" in item:
        item = {**item, "value": _HIDDEN}
    return _scrub(item, secrets)


def _read(item: Mapping[str, Mapping[str, object]]) -> Interaction:
    answer = dict(item["answer"])
    if "base64" in answer:
        body = base64.b64decode(str(answer.pop("base64")))
    else:
        body = msgspec.json.encode(answer.pop("json"))
    return Interaction(**item["request"], **answer, body=body)  # type: ignore[arg-type]
