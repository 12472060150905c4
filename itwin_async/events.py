"""
What can be observed: frozen records of attempts, waits and files, never a token, body or query.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeAlias

import attrs

logger = logging.getLogger("itwin_async")

WaitReason: TypeAlias = Literal["connection", "quota", "operation quota", "hold"]


@attrs.frozen
class AttemptFinished:
    """
    One request was sent and has an outcome.

    Attributes:
        method: HTTP method.
        path: path without host and query.
        request_id: correlation id of the call; the same for all its attempts.
        attempt: 1 for the first.
        status: HTTP status, or ``None`` where no usable answer came.
        seconds: how long it took.
        received: size of the decompressed body, in bytes.
        cancelled: the caller did not wait for the outcome.

    """

    method: str
    path: str
    request_id: str
    attempt: int
    status: int | None
    seconds: float
    received: int
    cancelled: bool = False


@attrs.frozen
class WaitScheduled:
    """
    A call will be repeated after a wait.

    Attributes:
        method: HTTP method.
        path: path without host and query.
        request_id: correlation id of the call.
        attempt: the attempt that failed.
        seconds: how long it waits at least.
        reason: what went wrong, in a word or two.

    """

    method: str
    path: str
    request_id: str
    attempt: int
    seconds: float
    reason: str


@attrs.frozen
class WaitFinished:
    """
    A call waited for its turn before an attempt; waits below a millisecond are not told.

    Attributes:
        method: HTTP method.
        path: path without host and query.
        request_id: correlation id of the call.
        attempt: the attempt that waited, 1 for the first.
        seconds: how long it waited.
        reason: for a free connection, for the quota of all calls or of the operation, or because a
            429 holds calls.
        until: when the hold ends or ended; ``None`` for other reasons.
        granted: whether its turn came; ``False`` where it was cancelled or time ran out.

    """

    method: str
    path: str
    request_id: str
    attempt: int
    seconds: float
    reason: WaitReason
    until: datetime | None = None
    granted: bool = True


@attrs.frozen
class HoldStarted:
    """
    A call was answered with 429, so that calls wait; told again where the end moves by a second.

    Attributes:
        method: HTTP method of the call that met the 429.
        path: its path, without host and query.
        request_id: its correlation id.
        seconds: how long calls wait from now on.
        until: when that ends.
        operation: the operation whose calls wait, for this caller only; empty for all calls.

    """

    method: str
    path: str
    request_id: str
    seconds: float
    until: datetime
    operation: str = ""


@attrs.frozen
class SessionStats:
    """
    What a session and its views do at one moment.

    Attributes:
        in_use: requests that are under way, or have a connection and wait for the quota.
        limit: how many of them there may be at once; ``None`` for any number.
        waiting: calls that wait for a quota or the end of a hold.
        waiting_for_connection: calls that wait for a connection.
        rate: the pace in calls a second, known or learned; ``None`` while there is none.
        held_for: seconds until calls may go again after a 429; 0 if they may.
        held_until: when that is; ``None`` if they may go.

    """

    in_use: int
    limit: int | None
    waiting: int
    waiting_for_connection: int
    rate: float | None
    held_for: float
    held_until: datetime | None


@attrs.frozen
class FileProgress:
    """
    A file got further on its way from or to the storage, or has arrived.

    Attributes:
        name: name of the local file, without its folder.
        done: how much of it is there, in bytes.
        size: its size in bytes, or ``None`` where nobody told.
        upload: whether it goes to the storage.
        finished: whether it is there, whole.
        kept: whether it was there before, so that nothing was transferred.

    """

    name: str
    done: int
    size: int | None
    upload: bool = False
    finished: bool = False
    kept: bool = False


Event: TypeAlias = AttemptFinished | WaitScheduled | WaitFinished | HoldStarted | FileProgress
Observer: TypeAlias = Callable[[Event], None]


_WAITS: dict[WaitReason, str] = {
    "connection": "a connection",
    "quota": "the quota",
    "operation quota": "the quota of the operation",
    "hold": "the end of a hold",
}


def log(event: Event) -> None:
    """
    Write an event to the logger ``itwin_async``.

    Repetitions and holds are written at INFO, everything else at DEBUG.

    Args:
        event: what happened.

    """
    if isinstance(event, WaitScheduled):
        logger.info(
            "%s %s failed (%s), attempt %d; trying again in %.2f s [%s]",
            event.method,
            event.path,
            event.reason,
            event.attempt,
            event.seconds,
            event.request_id,
        )
        return
    if isinstance(event, HoldStarted):
        logger.info(
            "%s wait %.2f s, until %s, because of a 429 [%s]",
            f"calls of {event.operation}" if event.operation else "all calls",
            event.seconds,
            f"{event.until:%Y-%m-%dT%H:%M:%SZ}",
            event.request_id,
        )
        return
    if isinstance(event, WaitFinished):
        logger.debug(
            "%s %s waited %.3f s for %s before attempt %d%s [%s]",
            event.method,
            event.path,
            event.seconds,
            _WAITS[event.reason],
            event.attempt,
            "" if event.granted else ", in vain",
            event.request_id,
        )
        return
    if isinstance(event, FileProgress):
        logger.debug(
            "%s: %d of %s bytes%s",
            event.name,
            event.done,
            "?" if event.size is None else event.size,
            ", was there" if event.kept else ", finished" if event.finished else "",
        )
        return
    nothing = "cancelled" if event.cancelled else "no answer"
    logger.debug(
        "%s %s -> %s, attempt %d, %d bytes in %.3f s [%s]",
        event.method,
        event.path,
        nothing if event.status is None else event.status,
        event.attempt,
        event.received,
        event.seconds,
        event.request_id,
    )
