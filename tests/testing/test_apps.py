"""Apps that start once, and sessions that the tested code makes itself."""

from __future__ import annotations

import pytest
from inner_pytest import Run

APP = """
import json, subprocess, sys, urllib.request
import pytest

APP = '''
import asyncio, os
from aiohttp import web
from itwin_async import Session, imodels, itwins

async def main():
    async with Session.from_env() as session:
        await itwins.list_favorites(session)          # at its start
        async def favorites(request):
            names = [itwin.display_name async for itwin in itwins.list_favorites(session)]
            return web.json_response(names)
        async def add(request):
            await itwins.add_favorite(session, request.match_info["id"])
            return web.Response(status=204)
        app = web.Application()
        app.add_routes([web.get("/", favorites), web.put("/{id}", add)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
'''

@pytest.fixture(scope="session")
def app(itwin_emulator_url, itwin_emulator_token, tmp_path_factory):
    import os
    environment = {**os.environ, "ITWIN_BASE_URL": itwin_emulator_url,
                   "ITWIN_ACCESS_TOKEN": itwin_emulator_token}
    with subprocess.Popen([sys.executable, "-c", APP], stdout=subprocess.PIPE, text=True,
                          env=environment) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()

@pytest.fixture
def call(app):
    def call(path="/", method="GET"):
        with urllib.request.urlopen(urllib.request.Request(app + path, method=method)) as response:
            return json.load(response) if response.status == 200 else None
    return call

@pytest.fixture(scope="session", autouse=True)
def _once(app):
    (COUNTS / f"{os.getpid()}").touch()

import os, pathlib
COUNTS = pathlib.Path(__file__).parent / "starts"
COUNTS.mkdir(exist_ok=True)

@pytest.mark.parametrize("turn", range(6))
def test_without_the_emulator(call, turn):
    assert len(call()) == 10

@pytest.mark.parametrize("turn", range(6))
def test_with_it(call, itwin_emulator, turn):
    assert len(itwin_emulator.state.itwins) == 12
    assert not itwin_emulator.requests and not itwin_emulator.faults
    added = itwin_emulator.add_itwin("Quay")
    call(f"/{added.id}", "PUT")
    assert call()[-1] == "Quay"
    itwin_emulator.assert_called("POST /itwins/favorites/{id}", times=1)
    itwin_emulator.fail("GET /itwins/favorites", status=500, times=None)
    itwin_emulator.clock.freeze()

def test_outage(call, itwin_emulator):
    itwin_emulator.stop()

def test_after_the_outage(call):
    assert len(call()) == 10
"""


def test_an_app_that_starts_once(run: Run) -> None:
    run(APP, mode=None).assert_outcomes(passed=14)


@pytest.mark.slow
def test_an_app_that_starts_once_in_each_worker(run: Run) -> None:
    result = run(APP, "-n", "2", "--dist", "worksteal", plugins="xdist", mode=None)
    result.assert_outcomes(passed=14)


def test_the_emulator_begins_before_the_fixtures_of_a_test(run: Run) -> None:
    source = """
    import pytest

    @pytest.fixture(scope="session")
    def app(itwin_emulator_url):
        return itwin_emulator_url

    @pytest.fixture
    def prepared(app, request):
        emulator = request.getfixturevalue("itwin_emulator")
        return emulator.add_itwin("Mine", number="HB-1")

    @pytest.mark.parametrize("turn", [1, 2])
    def test_it(prepared, turn):
        assert prepared.display_name == "Mine"
    """
    run(source, mode=None).assert_outcomes(passed=2)


MADE_BY_THE_CODE = """
import time
import pytest
from itwin_async import RetryPolicy, Session, itwins
from itwin_async.testing import VirtualTime

POLICY = RetryPolicy(retries=2)

async def by_the_environment():
    async with Session.from_env() as session:
        return await itwins.list_favorites(session).collect()

async def by_a_constructor(token, url, **settings):
    async with Session(token, base_url=url, **settings) as session:
        return await itwins.list_favorites(session).collect()

pytestmark = pytest.mark.itwin_fault(
    "GET /itwins/favorites", status=429, retry_after=90, times=2)

async def test_from_env(itwin_environment, itwin_time):
    begun = time.monotonic()
    assert len(await by_the_environment()) == 10
    assert time.monotonic() - begun < 60
    assert [round(seconds) for seconds in itwin_time.slept] == [90, 90]

@pytest.mark.parametrize("settings", [{}, {"retry": POLICY}, {"retry": None}])
async def test_constructor(itwin_emulator, itwin_time, settings):
    before = itwin_emulator.clock.now()
    emulator = itwin_emulator
    assert len(await by_a_constructor(emulator.token, emulator.base_url, **settings)) == 10
    assert len(itwin_time.slept) == 2
    assert itwin_emulator.clock.now() - before > 180

async def test_a_time_of_its_own_is_kept(itwin_emulator, itwin_time):
    mine = VirtualTime()
    settings = {"retry": RetryPolicy(clock=mine.monotonic, sleep=mine.sleep)}
    emulator = itwin_emulator
    assert len(await by_a_constructor(emulator.token, emulator.base_url, **settings)) == 10
    assert len(mine.slept) == 2 and itwin_time.slept == []

async def test_the_limits_of_a_policy_are_kept(itwin_emulator, itwin_time):
    with pytest.raises(Exception, match="429"):
        await by_a_constructor(itwin_emulator.token, itwin_emulator.base_url,
                               retry=RetryPolicy(rate_limit_retries=1))
    assert len(itwin_time.slept) == 1

async def test_real_time_comes_back(itwin_emulator):
    import itwin_async.session
    from itwin_async._http.client import Client
    assert itwin_async.session.Client is Client
"""


def test_sessions_of_the_tested_code_wait_in_virtual_time(run: Run) -> None:
    run(MADE_BY_THE_CODE).assert_outcomes(passed=7)


def test_tls(run: Run) -> None:
    source = """
    import subprocess, sys
    import pytest
    from itwin_async import Session, TransportError, itwins

    @pytest.fixture(scope="session")
    def itwin_emulator_options():
        return {"tls": True}

    async def test_session(itwin_session, itwin_emulator):
        assert itwin_emulator.base_url.startswith("https://")
        assert len(await itwins.list_favorites(itwin_session).collect()) == 10

    async def test_own_session(itwin_emulator, itwin_time):
        trust = itwin_emulator.certificate.client_context()
        token, base_url = itwin_emulator.token, itwin_emulator.base_url
        async with Session(token, base_url=base_url, ssl=trust) as session:
            assert await itwins.list_favorites(session).first()
        async with Session(token, base_url=base_url) as session:
            with pytest.raises(TransportError):
                await itwins.list_favorites(session)

    CODE = (
        "import os, urllib.request as r\\n"
        "head = {'Authorization': 'Bearer ' + os.environ['ITWIN_ACCESS_TOKEN']}\\n"
        "url = os.environ['ITWIN_BASE_URL'] + '/itwins/favorites'\\n"
        "print(r.urlopen(r.Request(url, headers=head)).status)\\n"
    )

    def test_subprocess(itwin_environment):
        assert subprocess.check_output([sys.executable, "-c", CODE], text=True).strip() == "200"
    """
    run(source).assert_outcomes(passed=3)
