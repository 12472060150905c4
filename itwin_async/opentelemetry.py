"""
Waits and retries in OpenTelemetry's spans; needs ``opentelemetry-api``.

The spans themselves are made by OpenTelemetry's own instrumentation of aiohttp, one for each
attempt. What a call does between its attempts happens in the caller's span: here it becomes an
event of that span.
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from opentelemetry import trace

from itwin_async.events import Event, HoldStarted, WaitFinished, WaitScheduled

__all__ = ["mark_request", "record_event"]

_CORRELATION = "X-Correlation-Id"


def record_event(event: Event) -> None:
    """
    Note waits, holds and retries on the caller's span; an observer of ``Session``.

    The span's events are ``itwin.wait``, ``itwin.hold`` and ``itwin.retry``, with the seconds, the
    reason, the attempt and the request id as attributes ``itwin.*``.
    """
    span = trace.get_current_span()
    if not span.is_recording():
        return
    about: dict[str, str | int | bool]
    if isinstance(event, WaitScheduled):
        about = {"itwin.attempt": event.attempt, "itwin.reason": event.reason}
        span.add_event("itwin.retry", _attributes(event, about))
    elif isinstance(event, WaitFinished):
        about = {"itwin.attempt": event.attempt, "itwin.reason": event.reason}
        about["itwin.granted"] = event.granted
        if event.until is not None:
            about["itwin.held_until"] = event.until.isoformat()
        span.add_event("itwin.wait", _attributes(event, about))
    elif isinstance(event, HoldStarted):
        about = {"itwin.held_until": event.until.isoformat(), "itwin.operation": event.operation}
        span.add_event("itwin.hold", _attributes(event, about))


def mark_request(span: trace.Span, params: aiohttp.TraceRequestStartParams) -> None:
    """Put the request id on the span of an attempt; a ``request_hook`` of the instrumentation."""
    if span.is_recording() and _CORRELATION in params.headers:
        span.set_attribute("itwin.request_id", params.headers[_CORRELATION])


def _attributes(
    event: WaitScheduled | WaitFinished | HoldStarted, about: Mapping[str, str | int | bool]
) -> dict[str, str | int | float | bool]:
    return {
        "itwin.method": event.method,
        "itwin.path": event.path,
        "itwin.request_id": event.request_id,
        "itwin.seconds": event.seconds,
        **about,
    }
