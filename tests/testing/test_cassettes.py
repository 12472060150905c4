from __future__ import annotations

import json

import pytest
from inner_pytest import Run

pytestmark = pytest.mark.slow

HEAD = """
import os
import pytest
from itwin_async import ApiError, Session, itwins

@pytest.fixture(scope="session")
def itwin_cassette_options(itwin_emulator_url, itwin_emulator_token):
    return {"platform_url": itwin_emulator_url, "token": itwin_emulator_token}
"""
SOURCE = """
async def favorites(session):
    return [itwin.display_name async for itwin in itwins.list_favorites(session)]

async def test_fixture(itwin_cassette, itwin_emulator):
    async with Session(itwin_cassette.token, base_url=itwin_cassette.base_url) as session:
        assert len(await favorites(session)) == 10
    assert len(itwin_emulator.requests) == itwin_cassette.recording

@pytest.mark.itwin_cassette("some/where.json")
async def test_mark(itwin_session):
    assert len(await favorites(itwin_session)) == 10

class TestMethods:
    @pytest.mark.itwin_cassette
    @pytest.mark.parametrize("size", ["a/b", "c"])
    async def test_environment(self, itwin_environment, size):
        async with Session.from_env() as session:
            assert len(await favorites(session)) == 10
"""
NAMES = [
    "cassettes/test_it/TestMethods.test_environment-a-b.json",
    "cassettes/test_it/TestMethods.test_environment-c.json",
    "cassettes/test_it/test_fixture.json",
    "some/where.json",
]


def names(pytester: pytest.Pytester) -> list[str]:
    found = pytester.path.rglob("*.json")
    return sorted(path.relative_to(pytester.path).as_posix() for path in found)


def test_recording_by_a_setting(run: Run, pytester: pytest.Pytester) -> None:
    source = HEAD + SOURCE
    run(source.replace('{"platform_url"', '{"record": "missing", "platform_url"')).assert_outcomes(
        passed=4
    )
    assert names(pytester) == NAMES


def test_recording_by_the_environment(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITWIN_RECORD", "missing")
    run(HEAD + SOURCE).assert_outcomes(passed=4)
    assert names(pytester) == NAMES


def test_recording_by_an_option(run: Run, pytester: pytest.Pytester) -> None:
    source = HEAD + SOURCE
    result = run(source)
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["*itwin_cassette: *does not exist*--itwin-record=missing*"])
    assert names(pytester) == []
    run(source, "--itwin-record=missing").assert_outcomes(passed=4)
    assert names(pytester) == NAMES
    kept = [pytester.path.joinpath(name).read_bytes() for name in NAMES]
    assert b"emulator-" not in b"".join(kept)
    run(source).assert_outcomes(passed=4)
    assert kept == [pytester.path.joinpath(name).read_bytes() for name in NAMES]
    run(source, "--itwin-record=always").assert_outcomes(passed=4)
    assert names(pytester) == NAMES


@pytest.mark.slow
def test_workers_replay_what_one_process_recorded(run: Run, pytester: pytest.Pytester) -> None:
    source = HEAD + SOURCE
    run(source, "--itwin-record=missing").assert_outcomes(passed=4)
    run(source, "-n", "2", plugins="xdist").assert_outcomes(passed=4)
    assert names(pytester) == NAMES


def test_a_miss_fails_the_test_by_name(run: Run, pytester: pytest.Pytester) -> None:
    recorded = """
    @pytest.mark.itwin_cassette("one.json")
    async def test_it(itwin_cassette):
        async with Session(itwin_cassette.token, base_url=itwin_cassette.base_url) as session:
            await itwins.list_favorites(session, page_size=5)
    """
    run(_source(recorded), "--itwin-record=missing").assert_outcomes(passed=1)
    missed = """
    async def miss(cassette):
        async with Session(cassette.token, base_url=cassette.base_url) as session:
            try:
                await itwins.list_favorites(session, page_size=6)
            except ApiError as error:
                return error.status

    pytestmark = pytest.mark.itwin_cassette("one.json")

    async def test_swallowed(itwin_cassette):
        assert await miss(itwin_cassette) == 421

    async def test_own(itwin_cassette):
        await miss(itwin_cassette)
        assert False, "of its own"

    async def test_forgiven(itwin_cassette):
        assert await miss(itwin_cassette) == 421
        itwin_cassette.misses.clear()

    @pytest.mark.itwin_cassette("one.json", ignore_query=["$top"])
    async def test_ignored(itwin_cassette):
        assert await miss(itwin_cassette) is None

    @pytest.fixture
    async def before(itwin_cassette):
        async with Session(itwin_cassette.token, base_url=itwin_cassette.base_url) as session:
            await itwins.list_recents(session)

    async def test_at_set_up(before): ...
    """
    result = run(_source(missed))
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["passed"]) == (2, 2)
    assert outcomes["errors"] >= 1
    result.stdout.fnmatch_lines(["*ERROR at setup of test_at_set_up*", "*GET /itwins/recents*"])
    result.stdout.fnmatch_lines(
        [
            "*_ test_swallowed _*",
            "*requests that are not on *one.json:",
            "*GET /itwins/favorites?$top=6*",
            '*query $top: expected "5", but it is "6"',
            "*_ test_own _*",
            "*of its own*",
            "*GET /itwins/favorites?$top=6*",
        ]
    )


def test_a_test_that_fails_leaves_no_cassette(run: Run, pytester: pytest.Pytester) -> None:
    source = """
    @pytest.fixture
    async def first(itwin_cassette):
        async with Session(itwin_cassette.token, base_url=itwin_cassette.base_url) as session:
            await itwins.list_favorites(session)

    def test_failed(first): assert False
    def test_skipped(first): pytest.skip("not now")
    def test_set_up(first, unknown): ...
    """
    result = run(_source(source), "--itwin-record=missing")
    result.assert_outcomes(failed=1, skipped=1, errors=1)
    assert names(pytester) == []


WRONG = [
    ("itwin_cassette(path='a', url='b')", "*takes one path and *url*"),
    ("itwin_cassette(on=['url'])", "*on must be some of*"),
    ("itwin_cassette(repeats='never')", "*repeats must be one of*"),
    ("itwin_cassette('cassettes', record='maybe')", "*record must be one of*"),
    ("itwin_cassette('other.json')", "*other.json has version 1*"),
    ("itwin_cassette('new.json', record='missing')", "*needs a token*ITWIN_ACCESS_TOKEN*"),
]


def test_marks_that_make_no_sense(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ITWIN_ACCESS_TOKEN", raising=False)
    pytester.path.joinpath("other.json").write_text(json.dumps({"version": 1}))
    tests = [
        f"@pytest.mark.{mark}\ndef test_{number}(itwin_cassette): ..."
        for number, (mark, _) in enumerate(WRONG)
    ]
    result = run("\n".join(["import pytest", *tests]), mode=None)
    result.assert_outcomes(errors=len(WRONG))
    for number, (_, words) in enumerate(WRONG):
        result.stdout.fnmatch_lines(
            [f"*ERROR at setup of test_{number} *", f"*itwin_cassette: {words}"]
        )


def test_several_tests_do_not_record_one_file(run: Run, pytester: pytest.Pytester) -> None:
    source = """
    pytestmark = pytest.mark.itwin_cassette("all.json")
    def test_one(itwin_cassette): ...
    """
    result = run(_source(source), "--itwin-record=missing")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*one test records*all.json*folder*"])
    run(_source(source.replace("all.json", "all/")), "--itwin-record=missing").assert_outcomes(
        passed=1
    )
    assert names(pytester) == ["all/test_it/test_one.json"]


def test_waiting_takes_no_time_in_a_replay(run: Run) -> None:
    source = """
    import time

    @pytest.mark.itwin_cassette("waits.json")
    async def test_it(itwin_session, itwin_time, itwin_cassette, itwin_emulator):
        seconds = 1 if itwin_cassette.recording else 0
        itwin_emulator.fail("GET /itwins/favorites", status=429, retry_after=1)
        begun = time.monotonic()
        await itwins.list_favorites(itwin_session)
        assert (time.monotonic() - begun >= 1) is itwin_cassette.recording
        assert len(itwin_time.slept) == (not itwin_cassette.recording)
    """
    run(_source(source), "--itwin-record=missing").assert_outcomes(passed=1)
    run(_source(source)).assert_outcomes(passed=1)


def _source(text: str) -> str:
    return HEAD + "\n".join(line.removeprefix("    ") for line in text.splitlines()) + "\n"
