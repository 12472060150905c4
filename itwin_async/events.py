"""
What can be observed: frozen records of attempts, waits and files, never a token, body or query.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

import attrs

logger = logging.getLogger("itwin_async")


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


Event: TypeAlias = AttemptFinished | WaitScheduled | FileProgress
Observer: TypeAlias = Callable[[Event], None]


def log(event: Event) -> None:
    """
    Write an event to the logger ``itwin_async``: waits at INFO, everything else at DEBUG.

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
