"""A cassette: requests and responses of a real platform, without its secrets."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

import attrs
import msgspec
from aiohttp.web_request import BaseRequest

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
    """A file that is not a cassette."""


@attrs.frozen(kw_only=True)
class Interaction:
    """A request and its response, without secrets."""

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
        """What a request must share with this one to get the same response."""
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
    """Interactions in the order in which they happened."""

    def __init__(self, interactions: list[Interaction] | None = None) -> None:
        self.interactions = interactions or []

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Cassette:
        """Read a cassette; CassetteError if the file is none."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content["version"] != _VERSION:
                raise CassetteError(f"{path} has version {content['version']}, not {_VERSION}")
            return cls([_read(item) for item in content["interactions"]])
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError):
            raise CassetteError(f"{path} is not a cassette") from None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the cassette; an older file is replaced when this one is complete."""
        content = {
            "version": _VERSION,
            "interactions": [interaction.json() for interaction in self.interactions],
        }
        beside = Path(f"{Path(path)}.part")
        beside.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        beside.replace(path)


def interaction_of(
    incoming: BaseRequest,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Interaction:
    """Return a request and its response without secrets."""
    token = incoming.headers.get("Authorization", "").partition(" ")[2].strip()
    path, _, query = incoming.raw_path.partition("?")
    return Interaction(
        method=incoming.method,
        path=path,
        query=_scrub_text(query, token),
        prefer=incoming.headers.get("Prefer", ""),
        accept=incoming.headers.get("Accept", ""),
        authorized="Authorization" in incoming.headers,
        status=status,
        headers={name: _scrub_text(value, token) for name, value in (headers or {}).items()},
        body=_scrub_body(body, token),
    )


def move(body: bytes, old: str, new: str) -> bytes:
    """Return a body whose links name another origin."""
    return body.replace(old.encode(), new.encode())


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a response that a replay needs."""
    return {
        name: value
        for name, value in headers.items()
        if name.lower() in _KEPT_HEADERS or name.lower().startswith(_KEPT_PREFIX)
    }


def _scrub_body(body: bytes, token: str) -> bytes:
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = _scrub_text(body.decode("utf-8", "surrogateescape"), token)
        return text.encode("utf-8", "surrogateescape")
    return msgspec.json.encode(_scrub(cast("Json", content), token))


def _scrub_text(text: str, token: str) -> str:
    if token:
        text = text.replace(token, _HIDDEN)
    return _JWT.sub(_HIDDEN, _SIGNED.sub(rf"\g<1>{_HIDDEN}", text))


def _scrub(value: Json, token: str) -> Json:
    if isinstance(value, dict):
        return {name: _scrub_member(name.lower(), item, token) for name, item in value.items()}
    if isinstance(value, list):
        return [_scrub(item, token) for item in value]
    return _scrub_text(value, token) if isinstance(value, str) else value


def _scrub_member(name: str, item: Json, token: str) -> Json:
    if name in _SECRET_NAMES and isinstance(item, str):
        return _HIDDEN
    if name == "authentication" and isinstance(item, dict) and "value" in item:
        item = {**item, "value": _HIDDEN}
    return _scrub(item, token)


def _read(item: Mapping[str, Mapping[str, object]]) -> Interaction:
    answer = dict(item["answer"])
    if "base64" in answer:
        body = base64.b64decode(str(answer.pop("base64")))
    else:
        body = msgspec.json.encode(answer.pop("json"))
    return Interaction(**item["request"], **answer, body=body)  # type: ignore[arg-type]
