"""What the fixture of cassettes does: it replays a file, or records it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, cast

import pytest

from itwin_async.emulator import Matching, RecorderThread, ReplayThread, record_or_replay
from itwin_async.emulator.recording.recorder import PLATFORM

_MATCHING = ("on", "headers", "ignore_query", "repeats")
_OPTIONS = {"path", "directory", "record", "platform_url", "token", *_MATCHING}


@contextmanager
def cassette_of(
    item: pytest.Item,
    options: Mapping[str, object],
    *,
    record: str | None,
    passed: Callable[[], bool],
) -> Iterator[RecorderThread | ReplayThread]:
    """
    Replay or record the cassette of a test.

    Args:
        item: the test; its mark ``itwin_cassette`` may name the file.
        options: what the fixture of options says.
        record: what the command line says.
        passed: whether the test passed; of another no recording is kept.

    """
    mark = item.get_closest_marker("itwin_cassette")
    settings = dict(options)
    if mark is not None:
        settings.update({"path": mark.args[0]} if mark.args else {}, **mark.kwargs)
    unknown = sorted(set(settings) - _OPTIONS)
    if unknown or (mark is not None and len(mark.args) > 1):
        _refuse(f"takes one path and {', '.join(sorted(_OPTIONS))}, not {unknown}")
    mode = record or settings.get("record") or os.environ.get("ITWIN_RECORD") or "never"
    path = _path(item, settings)
    try:
        chosen = {name: settings[name] for name in _MATCHING if name in settings}
        server = record_or_replay(
            path,
            record=mode,  # type: ignore[arg-type]
            token=cast("str | None", settings.get("token")) or os.environ.get("ITWIN_ACCESS_TOKEN"),
            platform_url=str(
                settings.get("platform_url") or os.environ.get("ITWIN_BASE_URL") or PLATFORM
            ),
            matching=Matching(**chosen),  # type: ignore[arg-type]
        )
    except (OSError, TypeError, ValueError) as error:
        hint = "" if path.exists() else " (--itwin-record=missing records it)"
        _refuse(f"{error}{hint}")
    if isinstance(server, RecorderThread):
        _check_recording(item, settings, path)
    with server:
        yield server
        if isinstance(server, RecorderThread) and not passed():
            server.discard()


def _path(item: pytest.Item, settings: Mapping[str, object]) -> Path:
    """Return the file of a test: that of its mark, or one with its name."""
    given = settings.get("path")
    if given is not None and not str(given).endswith(("/", os.sep)):
        return item.path.parent / str(given)
    folder = item.path.parent / str(given or settings.get("directory") or "cassettes")
    name = item.nodeid.partition("::")[2].replace("::", ".")
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-")
    return folder / item.path.stem / f"{plain}.json"


def _check_recording(item: pytest.Item, settings: Mapping[str, object], path: Path) -> None:
    own = any(mark.name == "itwin_cassette" for mark in item.own_markers)
    if settings.get("path") and not str(settings["path"]).endswith(("/", os.sep)) and not own:
        _refuse(f"one test records {path}: several need a folder, as 'cassettes/'")
    if not (settings.get("token") or os.environ.get("ITWIN_ACCESS_TOKEN")):
        _refuse("recording needs a token of the platform in ITWIN_ACCESS_TOKEN")


def _refuse(reason: str) -> NoReturn:
    pytest.fail(f"itwin_cassette: {reason}", pytrace=False)
