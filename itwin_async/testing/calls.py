"""Assertions on what was asked of an emulator, with messages that show the difference."""

from __future__ import annotations

import difflib
import json as jsonlib
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from itwin_async.emulator.request_log import times_in_words

if TYPE_CHECKING:
    from itwin_async.emulator import Emulator, EmulatorThread, RecordedRequest

_UNSET = object()
_SHOWN = 10


def assert_called(
    emulator: Emulator | EmulatorThread,
    match: str,
    *,
    times: int | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    json: object = _UNSET,
    user: str | None = None,
    status: int | None = None,
) -> list[RecordedRequest]:
    """
    Fail unless an operation was called in a certain way; return the requests that were so.

    Args:
        emulator: what was called.
        match: method and path, as ``PUT /imodels/favorites/{id}``.
        times: how often exactly; at least once when absent.
        query: decoded names and values that the query had among others.
        headers: headers that it had among others.
        json: the JSON that it carried.
        user: the name of the user that called.
        status: the status of the response.

    Raises:
        AssertionError: the message shows what was called, and in what it differs.

    """
    __tracebackhide__ = True
    wanted: dict[str, object] = {}
    wanted.update({f"query {name}": value for name, value in (query or {}).items()})
    wanted.update({f"header {name}": value for name, value in (headers or {}).items()})
    if json is not _UNSET:
        wanted["json"] = json
    if user is not None:
        wanted["user"] = user
    if status is not None:
        wanted["status"] = status
    called = emulator.calls(match)
    if not wanted or not called:
        return emulator.assert_called(match, times=times)
    found = [request for request in called if _facts(request, wanted) == wanted]
    if (times is None and not found) or (times is not None and len(found) != times):
        raise AssertionError(_explain(match, wanted, called, found, times))
    return found


def assert_calls(
    emulator: Emulator | EmulatorThread, expected: Sequence[str], *, match: str = "*"
) -> None:
    """
    Fail unless exactly these calls were made, in this order.

    Args:
        emulator: what was called.
        expected: lines as ``PUT /imodels/favorites/4a2e... -> 204``; query and status may be left
            out, and ``{id}`` stands for any segment.
        match: which calls are looked at; all when absent.

    Raises:
        AssertionError: other calls were made; the message is a diff.

    """
    __tracebackhide__ = True
    called = emulator.calls(match)
    lines = [
        _trim(request, line)
        for request, line in zip(called, chain(expected, repeat("")), strict=False)
    ]
    if lines != list(expected):
        diff = difflib.ndiff(list(expected), lines)
        shown = [line for line in diff if not line.startswith("?")]
        head = "other calls were made than expected (- expected, + made):"
        raise AssertionError("\n  ".join([head, *shown]))


def _trim(request: RecordedRequest, expected: str) -> str:
    """Write a call with as much detail as the line that it is compared with."""
    call, arrow, _ = expected.partition(" -> ")
    method, _, address = call.partition(" ")
    path, mark, _ = address.partition("?")
    status = "no answer" if request.status is None else str(request.status)
    wanted, made = path.split("/"), request.path.split("/")
    if request.method == method and len(wanted) == len(made):
        made = ["{id}" if one == "{id}" else two for one, two in zip(wanted, made, strict=True)]
    query = f"?{request.query}" if mark and request.query else ""
    return f"{request.method} {'/'.join(made)}{query}" + (f" -> {status}" if arrow else "")


def _facts(request: RecordedRequest, wanted: Mapping[str, object]) -> dict[str, object]:
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    facts: dict[str, object] = {}
    for name in wanted:
        kind, _, key = name.partition(" ")
        if kind == "query":
            facts[name] = query.get(key)
        elif kind == "header":
            facts[name] = request.headers.get(key)
        elif kind == "json":
            facts[name] = _json(request.body)
        else:
            facts[name] = getattr(request, kind)
    return facts


def _json(body: bytes) -> object:
    try:
        return jsonlib.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _explain(
    match: str,
    wanted: Mapping[str, object],
    called: Sequence[RecordedRequest],
    found: Sequence[RecordedRequest],
    times: int | None,
) -> str:
    often = "at least once" if times is None else times_in_words(times)
    lines = [f"expected {match} {often} with", *(f"  {_say(item)}" for item in wanted.items())]
    lines.append(f"but {len(found)} of its {len(called)} calls were so (- expected, + made):")
    lines += [f"> {request}" for request in found[:_SHOWN]]
    others = [request for request in called if request not in found]
    for request in others[:_SHOWN]:
        lines.append(f"  {request}")
        facts = _facts(request, wanted)
        for name, value in wanted.items():
            if facts[name] != value:
                lines += [f"    - {_say((name, value))}", f"    + {_say((name, facts[name]))}"]
    if len(others) > _SHOWN:
        lines.append(f"  ... and {len(others) - _SHOWN} more")
    return "\n".join(lines)


def _say(item: tuple[str, object]) -> str:
    name, value = item
    return f"{name}: {value!r}" if value is not None else f"{name}: nothing"
