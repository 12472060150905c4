"""What a caller wants to send becomes a request, or is refused before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias, cast

import msgspec

from itwin_async._http import urls
from itwin_async._http.attempt import Attempt
from itwin_async._http.client import Core
from itwin_async.errors import ArgumentError

Params: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


def prepare(
    core: Core,
    method: str,
    path: str,
    *,
    params: Params,
    json: object,
    body: bytes | None,
    accept: str,
    headers: Mapping[str, str] | None,
) -> Attempt:
    """
    Check a request and write it down.

    Args:
        core: base URL, correlation ids and headers of the session.
        method: HTTP method.
        path: path that begins with a slash, quoted; it may hold a query.
        params: further query names and values, not yet quoted.
        json: value to send as JSON, or ``None``.
        body: bytes to send as they are, or ``None``.
        accept: the ``Accept`` header.
        headers: further headers; they replace others of the same name.

    Returns:
        What is the same for every attempt.

    Raises:
        ArgumentError: it cannot be sent like that.

    """
    if method not in _METHODS:
        method = _method(method)
    if not urls.is_target(path):
        raise ArgumentError("path", path, "a quoted path that begins with one slash")
    if params:
        path = _with_query(path, params)
    request_id = core.next_id()
    sent = {"Accept": accept, "X-Correlation-Id": request_id, **core.extra_headers}
    if json is not None:
        if body is not None:
            raise ArgumentError(
                "json", json, "left out where there is a body: give either json or body"
            )
        body = _encode(json)
        sent["Content-Type"] = "application/json"
    if headers:
        _merge(sent, headers)
        request_id = sent["X-Correlation-Id"]
    url = urls.resolve(core.base, path)
    return Attempt(method, url, path.partition("?")[0], sent, body, request_id)


def _method(method: object) -> str:
    if not isinstance(method, str) or not _NAME.fullmatch(method):
        raise ArgumentError("method", method, "an HTTP method")
    return method.upper()


def _with_query(path: str, params: Params) -> str:
    try:
        pairs = cast("Mapping[str, str]", params).items() if isinstance(params, Mapping) else params
        return urls.target(path, pairs)
    except (TypeError, ValueError):
        pass
    raise ArgumentError("params", params, "names and values of type str")


def _encode(json: object) -> bytes:
    try:
        return msgspec.json.encode(json)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        pass
    raise ArgumentError("json", json, "a value that JSON can say")


def _merge(sent: dict[str, str], headers: Mapping[str, str]) -> None:
    given = cast("Mapping[object, object]", headers)  # callers without a type checker
    for name, value in given.items():
        if name == "Prefer" and isinstance(value, str) and value.isascii() and value.isprintable():
            sent["Prefer"] = value  # every page has it
            continue
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ArgumentError("headers", name, "named as HTTP allows")
        lower = name.lower()
        if lower == "authorization":
            raise ArgumentError(
                "headers", name, "without a token; use Session(token) or session.with_token(token)"
            )
        if not isinstance(value, str) or _UNFIT.search(value):
            raise ArgumentError(f"headers[{name!r}]", value, "a text in one line")
        if name not in sent:
            name = next((known for known in sent if known.lower() == lower), name)  # noqa: PLW2901
        sent[name] = value
