"""
The pytest plugin: fixtures and markers around a local iTwin Platform.

It stands beside the package, not in it: pytest loads it in every run, and importing anything of the
package would load the client into runs that do not ask for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NoReturn

import pytest

if TYPE_CHECKING:
    from itwin_async import Session
    from itwin_async.emulator import EmulatorThread
    from itwin_async.testing import VirtualTime

    Factory = Callable[..., EmulatorThread]
    LoopScope = Literal["function", "class", "module", "package", "session"]

_MARKERS = (
    "itwin_world(source=None, *, itwins, imodels, favorites, seed): how itwin_emulator begins",
    "itwin_fault(match, **options): set a fault in itwin_emulator, as itwin_async.emulator.Fault",
    "itwin_strict(on=True): fail the test on requests that the platform would refuse from anybody",
)
_LOOP_SCOPES: tuple[LoopScope, ...] = ("function", "class", "module", "package", "session")
_EMULATORS = pytest.StashKey[list["EmulatorThread"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting of strict mode."""
    parser.addini(
        "itwin_strict",
        "fail tests on requests that the platform would refuse from anybody",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and the fixtures that depend on pytest-asyncio."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.pluginmanager.hasplugin("asyncio"):
        config.pluginmanager.register(_asyncio_fixtures(), "itwin_async_asyncio")


@pytest.fixture(scope="session")
def itwin_emulator_options() -> Mapping[str, object]:
    """Say what ``itwin_emulator`` is made with, as ``Emulator`` takes it; to be overridden."""
    return {}


@pytest.fixture(scope="session")
def _itwin_server(itwin_emulator_options: Mapping[str, object]) -> Iterator[EmulatorThread]:
    from itwin_async.testing.server import make_emulator

    with make_emulator(itwin_emulator_options) as emulator:
        yield emulator


@pytest.fixture
def itwin_emulator(
    request: pytest.FixtureRequest, _itwin_server: EmulatorThread
) -> Iterator[EmulatorThread]:
    """Give a local iTwin Platform in a thread of its own, as new for each test."""
    from itwin_async.testing.server import prepared

    with prepared(_itwin_server, request.node):
        _collect_violations(request.node, _itwin_server)
        yield _itwin_server


@pytest.fixture
def itwin_emulator_factory(request: pytest.FixtureRequest) -> Iterator[Factory]:
    """Start further emulators, each with its own world and port; takes what ``Emulator`` takes."""
    from itwin_async.testing.server import make_emulator

    with ExitStack() as started:

        def factory(**options: object) -> EmulatorThread:
            emulator = started.enter_context(make_emulator(options))
            _collect_violations(request.node, emulator)
            return emulator

        yield factory


@pytest.fixture
def itwin_time(itwin_emulator: EmulatorThread) -> VirtualTime:
    """Give the time of ``itwin_session``: waiting takes none, and moves the emulator's clock."""
    from itwin_async.testing import VirtualTime

    return VirtualTime(itwin_emulator.clock)


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
    itwin_emulator: EmulatorThread, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, str]:
    """Set the environment that leads ``Session.from_env`` and subprocesses to the emulator."""
    names = {
        "ITWIN_ACCESS_TOKEN": itwin_emulator.token,
        "ITWIN_BASE_URL": itwin_emulator.base_url,
    }
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    return names


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test in strict mode for what its emulators would have refused on the real platform."""
    try:
        result = yield
    except Exception as error:
        report = _violations(item)
        if report:
            error.add_note(report)
        raise
    report = _violations(item)
    if report:
        pytest.fail(report, pytrace=False)
    return result


def _session_opener() -> Callable[..., AsyncIterator[Session]]:
    async def opened(
        itwin_emulator: EmulatorThread,
        itwin_time: VirtualTime,
        itwin_session_options: Mapping[str, object],
    ) -> AsyncIterator[Session]:
        from itwin_async.testing.server import make_session

        async with make_session(itwin_emulator, itwin_time, itwin_session_options) as session:
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


def _collect_violations(item: pytest.Item, emulator: EmulatorThread) -> None:
    item.stash.setdefault(_EMULATORS, []).append(emulator)


def _violations(item: pytest.Item) -> str:
    emulators = item.stash.get(_EMULATORS, [])
    mark = item.get_closest_marker("itwin_strict")
    strict = item.config.getini("itwin_strict")
    if mark is not None:
        strict = mark.kwargs.get("on", mark.args[0] if mark.args else True)
    lines = [line for emulator in emulators for line in emulator.violations] if strict else []
    if not lines:
        return ""
    return "\n  ".join(["strict mode: the platform would have refused this from anybody:", *lines])
