"""Recording or replaying, whichever is due."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from itwin_async.emulator.recording.cassette import CassetteError
from itwin_async.emulator.recording.matching import Matching
from itwin_async.emulator.recording.recorder import PLATFORM, RecorderThread
from itwin_async.emulator.recording.replay import ReplayThread

Record: TypeAlias = Literal["never", "missing", "always"]


def record_or_replay(
    path: str | os.PathLike[str],
    *,
    record: Record = "missing",
    token: str | None = None,
    platform_url: str = PLATFORM,
    matching: Matching | None = None,
) -> RecorderThread | ReplayThread:
    """
    Return what replays a cassette or, while it is missing, records it.

    Args:
        path: the file of the cassette.
        record: when to record: `never`, when the file is `missing`, or `always`.
        token: the token that recording needs; clients of a recorder need none then.
        platform_url: the base URL of the platform that is recorded.
        matching: what a request must share with a recorded one, in a replay.

    Raises:
        CassetteError: the file is missing or not a cassette.
        ValueError: a value makes no sense.

    """
    if record not in get_args(Record):
        raise ValueError(f"record must be one of {', '.join(get_args(Record))}, not {record!r}")
    there = Path(path).exists()
    if record == "always" or (record == "missing" and not there):
        return RecorderThread(path, platform_url, token=token)
    if not there:
        raise CassetteError(f"{path} does not exist: record it first")
    return ReplayThread(path, matching=matching)
