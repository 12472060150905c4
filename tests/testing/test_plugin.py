from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from inner_pytest import Run

pytestmark = pytest.mark.slow

ASYNC = """
import pytest
from itwin_async import itwins

{mark}

@pytest.fixture
async def names(itwin_session):
    return [itwin.display_name async for itwin in itwins.list_favorites(itwin_session)]

async def test_session(itwin_session, itwin_emulator, names):
    active = [i for i in itwin_emulator.state.itwins.values() if i.status != "Inactive"]
    assert names == [i.display_name for i in active]
    assert itwin_session.base_url.port == int(itwin_emulator.base_url.rpartition(":")[2])
    assert not itwin_session.closed

class TestMethods:
    async def test_method(self, itwin_session, names):
        assert await itwins.list_favorites(itwin_session).first()
"""


def test_it_is_an_entry_point() -> None:
    found = entry_points(group="pytest11", name="itwin_async")
    assert [point.value for point in found] == ["_itwin_async_pytest"]


def test_importing_the_plugin_imports_nothing_of_the_package() -> None:
    code = (
        "import sys, _itwin_async_pytest\n"
        "assert not [m for m in sys.modules if m.startswith(('itwin_async', 'aiohttp', 'attr'))]"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_nothing_is_imported_or_started_for_tests_that_do_not_ask(run: Run) -> None:
    result = run(
        """
        import sys, threading

        def test_nothing():
            assert not [m for m in sys.modules if m.split(".")[0] == "itwin_async"]
            assert threading.active_count() == 1
        """,
        mode=None,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mode", "mark"),
    [("auto", ""), ("strict", "pytestmark = pytest.mark.asyncio")],
)
def test_pytest_asyncio(run: Run, mode: str, mark: str) -> None:
    source = ASYNC.format(mark=mark)
    if mode == "strict":
        source = source.replace("@pytest.fixture\n", "@pytest_asyncio.fixture\n").replace(
            "import pytest\n", "import pytest, pytest_asyncio\n", 1
        )
    run(source, mode=mode).assert_outcomes(passed=2)


def test_sessions_belong_to_the_loop_of_their_test(run: Run) -> None:
    source = """
    import asyncio
    import pytest
    from itwin_async import itwins

    loops = set()

    @pytest.mark.parametrize("turn", [1, 2])
    @pytest.mark.asyncio(loop_scope="module")
    async def test_marked(itwin_session, turn):
        loops.add(asyncio.get_running_loop())
        assert await itwins.list_favorites(itwin_session).first()
        assert len(loops) == 1

    async def test_default(itwin_session):
        loops.add(asyncio.get_running_loop())
        assert await itwins.list_favorites(itwin_session).first()
        assert len(loops) == 2
    """
    run(source).assert_outcomes(passed=3)
    ini = "asyncio_default_test_loop_scope = session\n"
    run(source.replace("== 2", ">= 1"), ini=ini).assert_outcomes(passed=3)


@pytest.mark.parametrize("mode", ["strict", None])
def test_anyio(run: Run, mode: str | None) -> None:
    backend = """
    @pytest.fixture
    def anyio_backend():
        return "asyncio"
    """
    source = ASYNC.format(mark="pytestmark = pytest.mark.anyio\n" + _dedent(backend))
    run(source, mode=mode, plugins="anyio").assert_outcomes(passed=2)


CLAIMED_TWICE = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def before(itwin_session): ...

{marks}
async def test_direct(itwin_session): ...

{marks}
async def test_by_a_fixture(before): ...
"""


@pytest.mark.parametrize(
    ("mode", "marks"),
    [("auto", "@pytest.mark.anyio"), ("strict", "@pytest.mark.anyio\n@pytest.mark.asyncio")],
)
@pytest.mark.parametrize("plugins", ["anyio", "anyio asyncio"])  # the later one's hooks go first
def test_a_test_that_both_plugins_claim_is_refused_at_set_up(
    run: Run, mode: str, marks: str, plugins: str
) -> None:
    pytest.importorskip("anyio", reason="anyio is not installed")
    source = CLAIMED_TWICE.format(marks=marks)
    result = run(source, mode=mode, plugins=plugins)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*itwin_session *asyncio_mode*strict*anyio*"])


def test_another_backend_of_anyio_is_refused(run: Run) -> None:
    source = """
    import pytest

    @pytest.fixture
    def anyio_backend_name():
        return "trio"

    @pytest.mark.anyio
    async def test_it(itwin_session): ...
    """
    result = run(source, "-k", "asyncio", mode=None, plugins="anyio")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*itwin_session works with asyncio, not with trio*"])


def test_without_an_async_plugin_the_session_is_refused_with_advice(run: Run) -> None:
    result = run("def test_it(itwin_session): ...", mode=None)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*itwin_session needs pytest-asyncio, or anyio*"])


def test_sync_tests_and_subprocesses_are_served(run: Run) -> None:
    source = """
    import json, subprocess, sys, urllib.request

    CODE = (
        "import asyncio\\n"
        "from itwin_async import Session, itwins\\n"
        "async def main():\\n"
        "    async with Session.from_env() as session:\\n"
        "        print(len(await itwins.list_favorites(session).collect()))\\n"
        "asyncio.run(main())\\n"
    )

    def test_sync(itwin_emulator):
        url = itwin_emulator.base_url + "/itwins/favorites"
        headers = {"Authorization": f"Bearer {itwin_emulator.token}"}
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
            assert len(json.load(response)["iTwins"]) == 10

    def test_subprocess(itwin_environment, itwin_emulator):
        done = subprocess.check_output([sys.executable, "-c", CODE], text=True)
        assert done.strip() == "10"
        itwin_emulator.assert_called("GET /itwins/favorites", times=1)
    """
    run(source, mode=None).assert_outcomes(passed=2)


def test_one_server_that_is_as_new_for_each_test(run: Run) -> None:
    source = """
    import time
    import pytest
    from itwin_async.emulator import RateLimit

    seen = []

    @pytest.mark.parametrize("turn", [1, 2, 3])
    def test_fresh(itwin_emulator, turn):
        seen.append(itwin_emulator.base_url)
        assert len(set(seen)) == 1
        assert len(itwin_emulator.state.itwins) == 12
        assert not itwin_emulator.requests and not itwin_emulator.faults
        assert itwin_emulator.rate_limit is None
        assert abs(itwin_emulator.clock.now() - time.time()) < 60
        itwin_emulator.add_itwin("One more")
        itwin_emulator.fail("*", status=500)
        itwin_emulator.rate_limit = RateLimit(1, 1)
        itwin_emulator.clock.advance(3600)
        itwin_emulator.clock.freeze()

    def test_two_more(itwin_emulator, itwin_emulator_factory):
        one, two = itwin_emulator_factory(itwins=1), itwin_emulator_factory(itwins=2, imodels=0)
        assert len({itwin_emulator.base_url, one.base_url, two.base_url}) == 3
        assert (len(one.state.itwins), len(two.state.imodels)) == (1, 0)
    """
    run(source, mode=None).assert_outcomes(passed=4)


def test_a_server_that_a_test_stopped_is_there_for_the_next(run: Run) -> None:
    source = """
    import urllib.request

    def test_outage(itwin_emulator):
        itwin_emulator.stop()

    def test_next(itwin_emulator):
        url = itwin_emulator.base_url + "/_emulator/openapi.json"
        with urllib.request.urlopen(url) as response:
            assert response.status == 200
    """
    run(source, mode=None).assert_outcomes(passed=2)


@pytest.mark.slow
def test_workers_do_not_collide(run: Run) -> None:
    source = """
    import pytest
    from itwin_async import itwins

    @pytest.mark.parametrize("turn", range(12))
    async def test_own_world(itwin_session, itwin_emulator, turn):
        added = itwin_emulator.add_itwin(f"Mine {turn}")
        await itwins.add_favorite(itwin_session, added.id)
        assert len(itwin_emulator.state.itwins) == 13
        itwin_emulator.assert_called("POST /itwins/favorites/{id}", times=1)
    """
    run(source, "-n", "2", plugins="xdist").assert_outcomes(passed=12)


def test_options_come_from_fixtures(run: Run) -> None:
    source = """
    import pytest
    from itwin_async import itwins

    @pytest.fixture(scope="session")
    def itwin_emulator_options():
        return {"itwins": 2, "next_on_last_page": True}

    @pytest.fixture
    def itwin_session_options(itwin_emulator):
        return {"token": itwin_emulator.token_for("ana"), "user_agent": "tests/1"}

    async def test_both(itwin_session, itwin_emulator):
        assert len(itwin_emulator.state.itwins) == 2
        assert await itwins.list_favorites(itwin_session).collect() == []
        assert itwin_emulator.requests[0].user == "ana"
        assert itwin_emulator.requests[0].headers["User-Agent"].startswith("tests/1 ")
    """
    run(source).assert_outcomes(passed=1)


def test_waiting_takes_no_time(run: Run) -> None:
    source = """
    import asyncio, time
    import pytest
    from itwin_async import itwins
    from itwin_async.emulator import RateLimit

    @pytest.mark.itwin_fault("GET /itwins/favorites", status=429, retry_after=90, times=2)
    async def test_retry_after(itwin_session, itwin_time):
        begun = time.monotonic()
        assert len(await itwins.list_favorites(itwin_session).collect()) == 10
        assert time.monotonic() - begun < 90
        assert [round(seconds) for seconds in itwin_time.slept] == [90, 90]

    async def test_rate_window(itwin_session, itwin_emulator, itwin_time):
        itwin_emulator.rate_limit = RateLimit(2, 60)
        async def call():
            return await itwins.list_favorites(itwin_session).first()
        assert all(await asyncio.gather(*[call() for _ in range(7)]))
        assert itwin_emulator.clock.now() - time.time() > 100

    async def test_sleepers_share_the_time(itwin_time):
        begun = itwin_time.monotonic()
        await asyncio.gather(*[itwin_time.sleep(10) for _ in range(50)])
        assert 10 <= itwin_time.monotonic() - begun < 20

    async def test_the_first_wakes_first(itwin_time):
        order = []
        async def sleep(name, *seconds):
            for part in seconds:
                await itwin_time.sleep(part)
                order.append(name)
        await asyncio.gather(sleep("long", 30), sleep("short", 1, 1, 1), sleep("none", 0))
        assert order == ["none", "short", "short", "short", "long"]
    """
    run(source).assert_outcomes(passed=4)


def _dedent(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())
