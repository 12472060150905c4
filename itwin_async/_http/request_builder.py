"""What a caller wants to send becomes a request, or an error before anything is sent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias, cast
from uuid import UUID

import msgspec
from aiohttp import hdrs

from itwin_async._arguments import invalid
from itwin_async._http import urls
from itwin_async._http.attempt import Request
from itwin_async._http.client import Client
from itwin_async.errors import ArgumentError

Param: TypeAlias = str | int | float | UUID
"""A value in a query; ``True`` becomes ``true``."""

Params: TypeAlias = Mapping[str, Param] | Iterable[tuple[str, Param]]

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


def build_request(
    client: Client,
    method: str,
    path: str,
    *,
    params: Params,
    json: object,
    body: bytes | None,
    accept: str,
    headers: Mapping[str, str] | None,
    limit: str = "",
) -> Request:
    """
    Check a request and write it down.

    ``path`` is quoted, begins with a slash and may hold a query; ``params`` are not quoted yet.

    Raises:
        ArgumentError: it cannot be sent like that.

    """
    if method not in _METHODS:
        method = _method(method)
    if not urls.is_target(path):
        raise invalid("path", path, "a quoted path that begins with one slash")
    if params:
        path = _with_query(path, params)
    request_id = client.next_id()
    # aiohttp need not look for the letters' case in names of its own.
    sent: dict[str, str] = {hdrs.ACCEPT: accept, "X-Correlation-Id": request_id}
    if client.extra_headers:
        sent |= client.extra_headers
    if json is not None:
        if body is not None:
            raise ArgumentError("json and body are mutually exclusive", argument="json")
        body = encoded("json", json)
        sent[hdrs.CONTENT_TYPE] = "application/json"
    if headers:
        _merge(sent, headers)
        request_id = sent["X-Correlation-Id"]
    url = urls.resolve(client.base, path)
    return Request(method, url, path.partition("?")[0], sent, body, request_id, limit)


def _method(method: object) -> str:
    if not isinstance(method, str) or not _NAME.fullmatch(method):
        raise invalid("method", method, "an HTTP method")
    return method.upper()


def _with_query(path: str, params: Params) -> str:
    try:
        given: object = params.items() if isinstance(params, Mapping) else params
        pairs = cast("Iterable[tuple[str, Param]]", given)
        return urls.target(path, [(name, _param(value)) for name, value in pairs])
    except (TypeError, ValueError):
        pass
    raise invalid("params", params, "names with values of type str, int, float, bool or UUID")


def _param(value: Param) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    if not isinstance(cast("object", value), int | float | UUID):
        raise TypeError
    return str(value)


def encoded(name: str, value: object) -> bytes:
    """
    Write a value as JSON.

    Raises:
        ArgumentError: JSON cannot hold it.

    """
    try:
        body = msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        body = b""
    # NaN and the infinities are written as null.
    if not body or (b"null" in body and _has_number_beyond_json(msgspec.to_builtins(value))):
        raise invalid(name, value, "a value that JSON can hold")
    return body


def _has_number_beyond_json(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_number_beyond_json, cast("dict[object, object]", value).values()))
    if isinstance(value, list | tuple):
        return any(map(_has_number_beyond_json, cast("Iterable[object]", value)))
    return isinstance(value, float) and not math.isfinite(value)


def _merge(sent: dict[str, str], headers: Mapping[str, str]) -> None:
    given = cast("Mapping[object, object]", headers)  # callers without a type checker
    for name, value in given.items():
        if name == "Prefer" and isinstance(value, str) and value.isascii() and value.isprintable():
            sent["Prefer"] = value  # every page has it
            continue
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise invalid("headers", name, "names as HTTP allows them")
        lower = name.lower()
        if lower == "authorization":
            raise ArgumentError(
                "headers must not contain Authorization; "
                "use Session(token) or session.with_token(token)",
                argument="headers",
            )
        if not isinstance(value, str) or _UNFIT.search(value):
            raise invalid(f"headers[{name!r}]", value, "a string of one line")
        if name not in sent:
            name = next((known for known in sent if known.lower() == lower), name)  # noqa: PLW2901
        sent[name] = value
