"""What the fixtures do: an emulator that is as new for each test, and sessions on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeAlias, cast

import pytest

from itwin_async.emulator import EmulatorThread, Fault, RecorderThread, ReplayThread, World
from itwin_async.session import Session
from itwin_async.testing.virtual_time import VirtualTime

Platform: TypeAlias = EmulatorThread | RecorderThread | ReplayThread

_TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_SIZES = {"itwins": 12, "imodels": 25, "favorites": True, "seed": 0}


def make_emulator(options: Mapping[str, object]) -> EmulatorThread:
    """Make an emulator that collects what strict mode asks about."""
    options = {"strict": True, **options}
    return EmulatorThread(**options)  # type: ignore[arg-type]


def make_session(platform: Platform, options: Mapping[str, object]) -> Session:
    """Make a session of the demo user, or of whoever is recorded."""
    settings: dict[str, object] = {"token": platform.token, "base_url": platform.base_url}
    if platform.base_url.startswith("https:"):
        settings["ssl"] = platform.certificate.client_context()
    settings.update(options)
    return Session(**settings)  # type: ignore[arg-type]


def environment_of(platform: Platform, folder: Callable[[], Path]) -> dict[str, str]:
    """
    Name what leads other code to the platform.

    Args:
        platform: where it is led to.
        folder: makes a folder for the certificate of an emulator that speaks TLS.

    """
    names = {"ITWIN_ACCESS_TOKEN": platform.token, "ITWIN_BASE_URL": platform.base_url}
    if platform.base_url.startswith("https:"):
        file = folder() / "ca.pem"
        file.write_bytes(platform.certificate.authority_pem)
        names.update(dict.fromkeys(_TRUST, str(file)))
    return names


@contextmanager
def time_of(platform: Platform) -> Iterator[VirtualTime]:
    """Let sessions wait without taking time, unless they talk to the real platform."""
    if isinstance(platform, EmulatorThread):
        virtual_time = VirtualTime(platform.clock)
    else:
        virtual_time = VirtualTime()
        if platform.recording:
            yield virtual_time
            return
    with virtual_time.everywhere():
        yield virtual_time


@contextmanager
def prepared(emulator: EmulatorThread, item: pytest.Item) -> Iterator[None]:
    """Set up what a test's marks ask for; at the end the emulator is as it was."""
    before = emulator.snapshot()
    emulator.clear_requests()  # of an app that started before
    emulator.violations.clear()
    try:
        mark = item.get_closest_marker("itwin_world")
        if mark is not None:
            _make_world(emulator, item, mark)
        for fault in _faults(item):
            emulator.fault(fault)
        yield
    finally:
        emulator.reset(before.world)
        if not _is_running(emulator):  # the test stopped it, and it serves others too
            emulator.start()


def _is_running(emulator: EmulatorThread) -> bool:
    try:
        return bool(emulator.base_url)
    except RuntimeError:
        return False


def _make_world(emulator: EmulatorThread, item: pytest.Item, mark: pytest.Mark) -> None:
    source = mark.args[0] if mark.args else None
    sizes = {**_SIZES, **({"itwins": 0, "imodels": 0} if mark.args else {}), **mark.kwargs}
    unknown = sorted(set(sizes) - set(_SIZES))
    if len(mark.args) > 1 or unknown:
        _refuse("itwin_world", f"takes one source and {', '.join(_SIZES)}, not {unknown}")
    try:
        world = World(
            cast("int", sizes["seed"]),
            cast("int", sizes["itwins"]),
            cast("int", sizes["imodels"]),
            favorites=cast("float", sizes["favorites"]),
        )
        emulator.reset(world)
        if source is None:
            return
        if not isinstance(source, Mapping):
            source = Path(item.path).parent / source
        emulator.load(cast("Mapping[str, object]", source))
    except (OSError, TypeError, ValueError) as error:
        _refuse("itwin_world", str(error))
    emulator.reset(emulator.state)


def _faults(item: pytest.Item) -> Iterator[Fault]:
    # Of several faults that match, the first applies: a test's own before those of its module,
    # and as they are read, though Python applies decorators from below.
    for node in reversed(item.listchain()):
        for mark in reversed(node.own_markers):
            if mark.name == "itwin_fault":
                yield _fault(mark)


def _fault(mark: pytest.Mark) -> Fault:
    try:
        names = {"match": mark.args[0], **mark.kwargs} if mark.args else mark.kwargs
        return Fault(**names)
    except (TypeError, ValueError) as error:
        _refuse("itwin_fault", str(error))


def _refuse(marker: str, reason: str) -> NoReturn:
    pytest.fail(f"{marker}: {reason}", pytrace=False)
