"""Assertions on what was asked of an emulator, with messages that show the difference."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itwin_async.emulator import Emulator, EmulatorThread, RecordedRequest


def assert_called(
    emulator: Emulator | EmulatorThread,
    match: str,
    *,
    times: int | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    json: object = None,
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
        json: what the JSON body had; of objects, these members among others.
        user: the name of the user that called.
        status: the status of the response.

    Raises:
        AssertionError: the message shows what was called, and in what it differs.

    """
    __tracebackhide__ = True
    return emulator.assert_called(
        match, times=times, query=query, headers=headers, json=json, user=user, status=status
    )


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
