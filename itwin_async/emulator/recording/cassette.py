"""A cassette: requests and responses of a real platform, without its secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

import attrs
import msgspec
from aiohttp.web_request import BaseRequest

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.recording.secrets import Scrubber

ORIGIN = "https://itwin.invalid"
REQUEST_HEADERS = ("accept", "content-type", "if-match", "if-none-match", "prefer", "range")
_VERSION = 2
_DIGEST = "sha256:"
_FORM = "application/x-www-form-urlencoded"
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
    """
    A request and its response, without secrets.

    Args:
        sent: the body of the request: its JSON with sorted members, or the digest of other bytes.
        sent_headers: those of `REQUEST_HEADERS` that it had.
        authorized: whether it had an authorization.

    """

    method: str
    path: str
    query: str = ""
    sent_headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    authorized: bool = True
    sent: str = ""
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f"?{self.query}" if self.query else "")

    def content(self) -> Json:
        """Return the JSON of the request, or the digest of its bytes; None without a body."""
        if not self.sent or self.sent.startswith(_DIGEST):
            return self.sent or None
        return cast("Json", msgspec.json.decode(self.sent))

    def json(self) -> JsonObject:
        """Return the interaction as a cassette holds it."""
        request: JsonObject = {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": dict[str, Json](self.sent_headers),
            "authorized": self.authorized,
        }
        if self.sent:
            request["digest" if self.sent.startswith(_DIGEST) else "json"] = self.content()
        answer: JsonObject = {"status": self.status, "headers": dict[str, "Json"](self.headers)}
        try:
            answer["json"] = msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            answer["base64"] = base64.b64encode(self.body).decode()
        return {"request": request, "answer": answer}

    def scrubbed(self, scrubber: Scrubber) -> Interaction:
        """Return the interaction without secrets that were learned since."""
        sent = self.sent
        if not sent.startswith(_DIGEST):
            sent = scrubber.body(sent.encode()).decode()
        return attrs.evolve(
            self,
            path=scrubber.text(self.path),
            query=scrubber.text(self.query),
            sent=sent,
            headers={name: scrubber.text(value) for name, value in self.headers.items()},
            body=scrubber.body(self.body),
        )


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
                found = content["version"]
                raise CassetteError(f"{path} has version {found}, not {_VERSION}: record it again")
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
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        beside.replace(path)


def interaction_of(
    incoming: BaseRequest,
    sent: bytes,
    scrubber: Scrubber,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Interaction:
    """Return a request with its body and its response, without secrets."""
    path, _, query = incoming.raw_path.partition("?")
    form = incoming.content_type == _FORM
    scrubber.learn_headers(incoming.headers)
    scrubber.learn_query(query)
    for content in (sent, body):
        scrubber.learn_body(content)
    if form:
        scrubber.learn_query(sent.decode("utf-8", "replace"))
    here = f"{incoming.scheme}://{incoming.host}"
    return Interaction(
        method=incoming.method,
        path=scrubber.text(path),
        query=scrubber.text(query),
        sent_headers={
            name: scrubber.text(incoming.headers[name])
            for name in REQUEST_HEADERS
            if name in incoming.headers
        },
        authorized="Authorization" in incoming.headers,
        sent=_canonical(scrubber.body(move(sent, here, ORIGIN)), form=form),
        status=status,
        headers={name: scrubber.text(value) for name, value in (headers or {}).items()},
        body=scrubber.body(body),
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


def _canonical(sent: bytes, *, form: bool) -> str:
    if not sent:
        return ""
    if form:
        sent = repr(sorted(parse_qsl(sent.decode("utf-8", "replace")))).encode()
    try:
        return msgspec.json.encode(msgspec.json.decode(sent), order="deterministic").decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _DIGEST + hashlib.sha256(sent).hexdigest()


def _read(item: Mapping[str, Mapping[str, object]]) -> Interaction:
    request, answer = dict(item["request"]), dict(item["answer"])
    if "json" in request:
        sent = msgspec.json.encode(request.pop("json"), order="deterministic").decode()
    else:
        sent = str(request.pop("digest", ""))
    if "base64" in answer:
        body = base64.b64decode(str(answer.pop("base64")))
    else:
        body = msgspec.json.encode(answer.pop("json"))
    sent_headers = request.pop("headers")
    return Interaction(
        **request,  # type: ignore[arg-type]
        **answer,  # type: ignore[arg-type]
        sent_headers=cast("Mapping[str, str]", sent_headers),
        sent=sent,
        body=body,
    )
