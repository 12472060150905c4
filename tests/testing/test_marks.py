from __future__ import annotations

import pytest
from inner_pytest import Run

CALL = """
import urllib.error
import urllib.request
import pytest

def get(emulator, path, token=None, accept="application/json"):
    headers = {"Authorization": f"Bearer {token or emulator.token}", "Accept": accept}
    request = urllib.request.Request(emulator.base_url + path, headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
"""


def _source(text: str) -> str:
    return CALL + "\n".join(line.removeprefix("    ") for line in text.splitlines())


def test_worlds(run: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("world.json").write_text(
        '{"itwins": [{"displayName": "From a file", "imodels": [{"displayName": "A"}]}]}'
    )
    source = """
    pytestmark = pytest.mark.itwin_world(itwins=1, imodels=2, seed=5)

    def names(emulator):
        return [itwin.display_name for itwin in emulator.state.itwins.values()]

    def test_sizes(itwin_emulator):
        assert (len(itwin_emulator.state.itwins), len(itwin_emulator.state.imodels)) == (1, 2)
        assert len(itwin_emulator.state.favorites["demo"].imodels) == 2

    @pytest.mark.itwin_world(itwins=4, favorites=2)
    def test_the_closest_mark_counts(itwin_emulator):
        assert len(itwin_emulator.state.itwins) == 4
        assert len(itwin_emulator.state.favorites["demo"].itwins) == 2

    @pytest.mark.itwin_world("world.json")
    def test_file(itwin_emulator):
        assert names(itwin_emulator) == ["From a file"]
        itwin_emulator.add_itwin("Another")
        itwin_emulator.reset()
        assert names(itwin_emulator) == ["From a file"]

    @pytest.mark.itwin_world({"itwins": [{"displayName": "From a mapping"}]}, itwins=1)
    def test_mapping(itwin_emulator):
        assert len(names(itwin_emulator)) == 2
        assert names(itwin_emulator)[-1] == "From a mapping"
    """
    run(_source(source), mode=None).assert_outcomes(passed=4)


WRONG = [
    ('itwin_world("nowhere.json")', "*itwin_world: *nowhere.json*"),
    ("itwin_world(rooms=3)", "*itwin_world: takes one source and *rooms*"),
    ('itwin_world({"itwins": 3})', "*itwin_world: *itwins*"),
    ("itwin_world(5)", "*itwin_world: *"),
    ("itwin_world(itwins=-3)", "*itwin_world: itwins must be*-3*"),
    ('itwin_world({"itwins": [{"number": 7}]})', "*itwin_world: itwins?0?.number: *"),
    ('itwin_fault("*", times=0, status=500)', "*itwin_fault: times must be at least 1*"),
    ('itwin_fault("imodels", status=500)', "*itwin_fault: *GET /imodels/favorites*"),
    ('itwin_fault("*", statsu=500)', "*itwin_fault: *statsu*"),
]


def test_marks_that_make_no_sense(run: Run) -> None:
    tests = [
        f"@pytest.mark.{mark}\ndef test_{number}(itwin_emulator): ..."
        for number, (mark, _) in enumerate(WRONG)
    ]
    result = run("\n".join(["import pytest", *tests]), mode=None)
    result.assert_outcomes(errors=len(WRONG))
    for number, (_, words) in enumerate(WRONG):
        result.stdout.fnmatch_lines([f"*ERROR at setup of test_{number} *", words])


def test_a_set_up_that_fails_is_undone(run: Run) -> None:
    source = """
    class TestWrong:
        @pytest.mark.itwin_world({"itwins": [{"displayName": "A"}, {"displayName": 7}]})
        def test_world(self, itwin_emulator): ...

        @pytest.mark.itwin_world(itwins=1)
        @pytest.mark.itwin_fault("*", status=500, times=None)
        @pytest.mark.itwin_fault("*", statsu=500)
        def test_fault(self, itwin_emulator): ...

        @pytest.fixture
        def broken(self, itwin_emulator):
            itwin_emulator.fail("*", status=500, times=None)
            itwin_emulator.add_itwin("One more")
            itwin_emulator.clock.freeze()
            raise ValueError

        def test_fixture(self, broken): ...

    def test_next(itwin_emulator):
        assert len(itwin_emulator.state.itwins) == 12
        assert not itwin_emulator.faults
        assert get(itwin_emulator, "/itwins/favorites") == 200
    """
    for order in ([], ["-k", "test_world or test_next"], ["-k", "test_fault or test_next"]):
        outcomes = run(_source(source), *order, mode=None).parseoutcomes()
        assert outcomes["passed"] == 1
        assert outcomes["errors"] == (1 if order else 3)


def test_faults(run: Run) -> None:
    source = """
    pytestmark = pytest.mark.itwin_fault("GET /itwins/**", status=503, times=None)

    @pytest.mark.itwin_fault("GET /itwins/favorites", status=429, retry_after=2)
    @pytest.mark.itwin_fault("GET /itwins/favorites", status=500)
    def test_order(itwin_emulator):
        got = [get(itwin_emulator, "/itwins/favorites") for _ in range(3)]
        assert got == [429, 500, 503]

    def test_module(itwin_emulator):
        assert get(itwin_emulator, "/itwins/recents") == 503

    @pytest.mark.parametrize("status", [
        pytest.param(500, marks=pytest.mark.itwin_fault("*", status=500)),
        pytest.param(502, marks=pytest.mark.itwin_fault("*", status=502)),
    ])
    def test_parameters(itwin_emulator, status):
        assert get(itwin_emulator, "/itwins/recents") == status
    """
    run(_source(source), mode=None).assert_outcomes(passed=4)


STRICT = """
    @pytest.mark.itwin_strict
    def test_refused(itwin_emulator):
        assert get(itwin_emulator, "/itwins/favorites?$top=5000") == 422

    @pytest.mark.itwin_strict
    def test_fails_anyway(itwin_emulator):
        get(itwin_emulator, "/imodel/favorites")
        assert False, "of its own"

    @pytest.mark.itwin_strict
    def test_good(itwin_emulator):
        assert get(itwin_emulator, "/itwins/favorites?$top=500") == 200

    @pytest.mark.itwin_strict(False)
    def test_lenient(itwin_emulator):
        assert get(itwin_emulator, "/itwins/favorites?$top=5000") == 422

    @pytest.mark.itwin_strict
    def test_forgiven(itwin_emulator):
        assert get(itwin_emulator, "/itwins/favorites?$top=5000") == 422
        itwin_emulator.violations.clear()

    @pytest.mark.itwin_strict
    def test_factory(itwin_emulator_factory):
        assert get(itwin_emulator_factory(), "/imodels/favorites", accept="text/html") == 404

    def test_unmarked(itwin_emulator):
        assert get(itwin_emulator, "/itwins/favorites?$skip=-1") == 422
"""


def test_strict_mode(run: Run) -> None:
    result = run(_source(STRICT), mode=None)
    result.assert_outcomes(passed=4, failed=3)
    result.stdout.fnmatch_lines(
        [
            "*test_refused*",
            "*the platform would have refused this*",
            "*GET /itwins/favorites?$top=5000: *",
            "*test_fails_anyway*",
            "*of its own*",
            "*the platform would have refused this*",
            "*GET /imodel/favorites: *",
        ]
    )


def test_strict_mode_by_setting(run: Run) -> None:
    result = run(_source(STRICT), mode=None, ini="itwin_strict = true\n")
    result.assert_outcomes(passed=3, failed=4)


def test_marks_of_tests_that_do_not_use_the_emulator(run: Run) -> None:
    source = """
    import warnings

    @pytest.mark.itwin_world(itwins=1)
    def test_world(): warnings.warn("it ran")

    @pytest.mark.itwin_fault("*", status=500)
    def test_fault(tmp_path): ...

    @pytest.mark.itwin_fault("*", status=500)
    def test_fault_of_the_other(itwin_emulator_factory): ...

    @pytest.mark.itwin_strict
    def test_strict(request): ...

    @pytest.mark.itwin_cassette("x.json")
    def test_cassette(itwin_emulator): ...

    @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.itwin_world(itwins=0))])
    def test_parameter(n): ...
    """
    result = run(_source(source), mode=None)
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines(
        [
            "itwin_world: the test does not use itwin_emulator",
            "itwin_fault: the test does not use itwin_emulator",
            "itwin_strict: the test does not use itwin_emulator or itwin_emulator_factory",
            "itwin_cassette: the test does not use itwin_cassette",
        ]
    )


def test_marks_that_have_a_use(run: Run) -> None:
    source = """
    import unittest

    @pytest.mark.itwin_world(itwins=1)
    def test_by_name(request):
        assert len(request.getfixturevalue("itwin_emulator").state.itwins) == 1

    class TestAll:
        pytestmark = pytest.mark.itwin_world(itwins=2)
        def test_plain(self): ...
        def test_world(self, itwin_emulator): assert len(itwin_emulator.state.itwins) == 2

    class TestCase(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _emulator(self, itwin_emulator):
            self.emulator = itwin_emulator

        @pytest.mark.itwin_world(itwins=3)
        def test_method(self):
            self.assertEqual(len(self.emulator.state.itwins), 3)

    @pytest.mark.itwin_world(itwins=3)
    @pytest.mark.skip
    def test_skipped(): ...
    """
    run(_source(source), mode=None).assert_outcomes(passed=4, skipped=1)


def test_what_a_function_of_a_fault_raises_fails_the_test(run: Run) -> None:
    source = """
    from itwin_async.emulator import Fault

    def wrong(*_):
        raise LookupError("in my churn")

    def test_churn(itwin_emulator):
        itwin_emulator.fault(Fault(match="GET /itwins/favorites", churn=wrong))
        get(itwin_emulator, "/itwins/favorites")

    def test_answer(itwin_emulator_factory):
        emulator = itwin_emulator_factory()
        emulator.fault(Fault(match="GET /itwins/favorites", answer=wrong, times=2))
        assert [get(emulator, "/itwins/favorites") for _ in range(2)] == [500, 500]

    def test_that_fails_anyway(itwin_emulator):
        itwin_emulator.fault(Fault(match="GET /itwins/favorites", churn=wrong))
        get(itwin_emulator, "/itwins/favorites")
        assert False, "of its own"

    def test_that_says_so(itwin_emulator):
        itwin_emulator.fault(Fault(match="GET /itwins/favorites", churn=wrong))
        get(itwin_emulator, "/itwins/favorites")
        pytest.fail("by name")

    def test_next(itwin_emulator): ...
    """
    result = run(_source(source), mode=None)
    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(
        ["*LookupError: in my churn", "*of its own*", "*a function of a fault raised LookupError*"]
    )
