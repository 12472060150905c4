"""
The pytest plugin: fixtures and markers around a local iTwin Platform.

It stands beside the package, not in it: pytest loads it in every run, and importing anything of the
package would load the client into runs that do not ask for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NoReturn, cast

import pytest

if TYPE_CHECKING:
    from itwin_async import Session
    from itwin_async.emulator import EmulatorThread, RecorderThread, ReplayThread
    from itwin_async.testing import VirtualTime
    from itwin_async.testing.server import Platform

    Factory = Callable[..., EmulatorThread]
    LoopScope = Literal["function", "class", "module", "package", "session"]

_MARKERS = (
    "itwin_world(source=None, *, itwins, imodels, favorites, seed): how itwin_emulator begins",
    "itwin_fault(match, **options): set a fault in itwin_emulator, as itwin_async.emulator.Fault",
    "itwin_strict(on=True): fail the test on requests that the platform would refuse from anybody",
    "itwin_cassette(path=None, **options): what itwin_cassette replays or records, and how",
)
_EMULATOR, _FACTORY, _CASSETTE = "itwin_emulator", "itwin_emulator_factory", "itwin_cassette"
_NEEDS = {
    "itwin_world": {_EMULATOR},
    "itwin_fault": {_EMULATOR},
    "itwin_strict": {_EMULATOR, _FACTORY},
    "itwin_cassette": {_CASSETTE},
}
_LOOP_SCOPES: tuple[LoopScope, ...] = ("function", "class", "module", "package", "session")
_USED = pytest.StashKey[list[tuple[str, "Platform"]]]()
_PASSED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting of strict mode and the option to record."""
    parser.addini(
        "itwin_strict",
        "fail tests on requests that the platform would refuse from anybody",
        type="bool",
        default=False,
    )
    parser.getgroup("itwin-async").addoption(
        "--itwin-record",
        choices=("never", "missing", "always"),
        help="record cassettes: never, when they are missing, or always; "
        "by default as ITWIN_RECORD says, or never",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and the fixtures that depend on pytest-asyncio."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.pluginmanager.hasplugin("asyncio"):
        config.pluginmanager.register(_asyncio_fixtures(), "itwin_async_asyncio")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Begin anew with each test of an app that knows the emulator by its address."""
    names: list[str] = getattr(item, "fixturenames", [])
    if (
        "itwin_emulator_url" in names
        and _EMULATOR not in names
        and isinstance(item, pytest.Function)
    ):
        known = item._fixtureinfo.name2fixturedefs  # noqa: SLF001 - nothing else tells the scopes
        scopes = [known[name][-1].scope if name in known else "session" for name in names]
        names.insert([*scopes, "function"].index("function"), _EMULATOR)


@pytest.fixture(scope="session")
def itwin_emulator_options() -> Mapping[str, object]:
    """Say what ``itwin_emulator`` is made with, as ``Emulator`` takes it; to be overridden."""
    return {}


@pytest.fixture(scope="session")
def _itwin_server(itwin_emulator_options: Mapping[str, object]) -> Iterator[EmulatorThread]:
    from itwin_async.testing.server import make_emulator

    with make_emulator(itwin_emulator_options) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def itwin_emulator_url(_itwin_server: EmulatorThread) -> str:
    """
    Give the address of the emulator to an app that starts once.

    Each test that depends on it has the emulator as new, as with ``itwin_emulator``.
    """
    return _itwin_server.base_url


@pytest.fixture(scope="session")
def itwin_emulator_token(_itwin_server: EmulatorThread, itwin_emulator_url: str) -> str:  # noqa: ARG001 - it has its rule
    """Give the demo user's token to an app that starts once."""
    return _itwin_server.token


@pytest.fixture
def itwin_emulator(
    request: pytest.FixtureRequest, _itwin_server: EmulatorThread
) -> Iterator[EmulatorThread]:
    """Give a local iTwin Platform in a thread of its own, as new for each test."""
    from itwin_async.testing.server import prepared

    with prepared(_itwin_server, request.node):
        _note(request.node, _EMULATOR, _itwin_server)
        yield _itwin_server


@pytest.fixture
def itwin_emulator_factory(request: pytest.FixtureRequest) -> Iterator[Factory]:
    """Start further emulators, each with its own world and port; takes what ``Emulator`` takes."""
    from itwin_async.testing.server import make_emulator

    with ExitStack() as started:

        def factory(**options: object) -> EmulatorThread:
            emulator = started.enter_context(make_emulator(options))
            _note(request.node, _FACTORY, emulator)
            return emulator

        yield factory


@pytest.fixture(scope="session")
def itwin_cassette_options() -> Mapping[str, object]:
    """Say what all cassettes have in common, as the mark takes it; to be overridden."""
    return {}


@pytest.fixture
def itwin_cassette(
    request: pytest.FixtureRequest, itwin_cassette_options: Mapping[str, object]
) -> Iterator[RecorderThread | ReplayThread]:
    """Replay a cassette, or record it; a request that is not on it fails the test."""
    from itwin_async.testing.cassettes import cassette_of

    item, record = request.node, request.config.getoption("itwin_record")

    def passed() -> bool:
        return bool(item.stash.get(_PASSED, False))

    with cassette_of(item, itwin_cassette_options, record=record, passed=passed) as cassette:
        _note(item, _CASSETTE, cassette)
        yield cassette


@pytest.fixture
def _itwin_platform(request: pytest.FixtureRequest) -> Platform:
    marked = request.node.get_closest_marker(_CASSETTE) is not None
    platform: Platform = request.getfixturevalue(_CASSETTE if marked else _EMULATOR)
    return platform


@pytest.fixture
def itwin_time(_itwin_platform: Platform) -> Iterator[VirtualTime]:
    """Let waiting take no time in all sessions that are made from now on, the test's own too."""
    from itwin_async.testing.server import time_of

    with time_of(_itwin_platform) as virtual_time:
        yield virtual_time


@pytest.fixture
def itwin_session_options() -> Mapping[str, object]:
    """Say what ``itwin_session`` is made with, as ``Session`` takes it; to be overridden."""
    return {}


@pytest.fixture
def itwin_session(request: pytest.FixtureRequest) -> Session:
    """Give an open ``Session`` of the demo user, under pytest-asyncio and under anyio."""
    session: Session = request.getfixturevalue(f"_itwin_session_{_loop_owner(request)}")
    return session


@pytest.fixture
def itwin_environment(
    _itwin_platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, str]:
    """Set the environment that leads ``Session.from_env`` and subprocesses to the emulator."""
    from itwin_async.testing.server import environment_of

    names = environment_of(_itwin_platform, lambda: tmp_path_factory.mktemp("itwin"))
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    return names


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test for what its emulators and cassettes complain of, and for marks without use."""
    unused = _unused_mark(item)
    if unused and "request" not in getattr(item, "fixturenames", ()):
        pytest.fail(unused, pytrace=False)
    try:
        result = yield
    except (Exception, pytest.fail.Exception) as error:
        reports, failures = _complaints(item)
        for note in (*reports, *(f"a function of a fault raised {one!r}" for one in failures)):
            error.add_note(note)
        raise
    reports, failures = _complaints(item)
    for failure in failures:
        for note in (*reports, *(f"and another raised {one!r}" for one in failures[1:])):
            failure.add_note(note)
        raise failure
    reports += filter(None, [_unused_mark(item)])
    if reports:
        pytest.fail("\n".join(reports), pytrace=False)
    item.stash[_PASSED] = True
    return result


def _session_opener() -> Callable[..., AsyncIterator[Session]]:
    async def opened(
        _itwin_platform: Platform,
        itwin_time: VirtualTime,  # noqa: ARG001 - the session is made in it
        itwin_session_options: Mapping[str, object],
    ) -> AsyncIterator[Session]:
        from itwin_async.testing.server import make_session

        async with make_session(_itwin_platform, itwin_session_options) as session:
            yield session

    return opened


_itwin_session_anyio = pytest.fixture(_session_opener(), name="_itwin_session_anyio")


def _asyncio_fixtures() -> ModuleType:
    """
    One fixture for each scope of pytest-asyncio's loops: a session belongs to the loop of its test.
    """
    import pytest_asyncio

    holder = ModuleType("itwin_async_asyncio")  # pytest looks for fixtures in modules and classes
    for scope in _LOOP_SCOPES:
        fixture = pytest_asyncio.fixture(loop_scope=scope, name=f"_itwin_session_{scope}")
        setattr(holder, scope, fixture(_session_opener()))
    return holder


def _loop_owner(request: pytest.FixtureRequest) -> str:
    """Tell whose event loop runs a test: ``anyio``, or one of pytest-asyncio's scopes."""
    has_asyncio = request.config.pluginmanager.hasplugin("asyncio")
    mark = request.node.get_closest_marker("asyncio")  # pytest-asyncio's auto mode sets it, too
    if "anyio_backend" in request.fixturenames:
        if has_asyncio and mark is not None:
            _refuse(
                "needs one event loop, but both pytest-asyncio and anyio run this test: "
                "set asyncio_mode = strict and keep only the mark `anyio`, or remove that mark"
            )
        backend = request.getfixturevalue("anyio_backend_name")
        if backend != "asyncio":
            _refuse(
                f"works with asyncio, not with {backend}: "
                "let your fixture `anyio_backend` return 'asyncio'"
            )
        return "anyio"
    if not has_asyncio:
        _refuse(
            "needs pytest-asyncio, or anyio's plugin with the mark `anyio`; "
            "without them make a Session with itwin_emulator.token and itwin_emulator.base_url"
        )
    scope = None if mark is None else (mark.kwargs.get("loop_scope") or mark.kwargs.get("scope"))
    if scope is None:
        try:
            scope = request.config.getini("asyncio_default_test_loop_scope")
        except ValueError:  # the setting is newer than the oldest pytest-asyncio that works
            scope = "function"
    return str(scope)


def _refuse(reason: str) -> NoReturn:
    pytest.fail(f"itwin_session {reason}", pytrace=False)


def _note(item: pytest.Item, fixture: str, platform: Platform) -> None:
    item.stash.setdefault(_USED, []).append((fixture, platform))


def _unused_mark(item: pytest.Item) -> str:
    """Tell which mark of a test's own says something of what the test does not use."""
    for mark in item.own_markers:
        needed = _NEEDS.get(mark.name)
        if needed and not any(fixture in needed for fixture, _ in item.stash.get(_USED, [])):
            return f"{mark.name}: the test does not use {' or '.join(sorted(needed))}"
    return ""


def _complaints(item: pytest.Item) -> tuple[list[str], list[Exception]]:
    """Take what strict mode, cassettes and functions of faults complain of."""
    reports: list[str] = []
    failures: list[Exception] = []
    violations: list[str] = []
    for fixture, platform in item.stash.get(_USED, []):
        if fixture != _CASSETTE:
            emulator = cast("EmulatorThread", platform)
            violations += emulator.violations
            try:
                emulator.raise_failures()
            except Exception as error:  # noqa: BLE001 - a test's own function may raise anything
                failures.append(error)
        elif (replay := cast("ReplayThread", platform)).misses:
            try:
                replay.assert_no_misses()
            except AssertionError as missed:
                reports.append(str(missed))
                replay.misses.clear()
    if violations and _is_strict(item):
        head = "strict mode: the platform would have refused this from anybody:"
        reports.append("\n  ".join([head, *violations]))
    return reports, failures


def _is_strict(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("itwin_strict")
    if mark is None:
        return bool(item.config.getini("itwin_strict"))
    return bool(mark.kwargs.get("on", mark.args[0] if mark.args else True))
