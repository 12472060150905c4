"""
What people and programs feed to the command line: done, or one line and a documented exit code.

A long run: ``pytest tests/cli/test_fuzz_inputs.py --hypothesis-profile=long``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Done, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itwin_async.emulator import EmulatorThread

FUZZ = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
KNOWN = {0, 1, 2, 3, 4, 5, 6}


@pytest.fixture(scope="module")
def platform() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=2, imodels=2) as emulator:
        yield emulator


def check(done: Done) -> None:
    assert done.returncode in KNOWN
    assert "a defect" not in done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode not in {0, 1}:
        assert done.stderr.startswith("itwin-async: ")


@FUZZ
@given(st.binary(max_size=60))
def test_ids_on_standard_input(platform: EmulatorThread, data: bytes) -> None:
    check(run(platform, "favorites", "add", "-", stdin=data))


words = st.text(max_size=12).filter(lambda text: "\0" not in text)
names = st.sampled_from(
    ["itwin_id", "page_size", "cursor", "sub_class", "status", "type", "tag_id"]
)


@FUZZ
@given(
    st.sampled_from(["itwins.list_favorites", "saved_views.list_tags", "Get Tag", "get_tag"]),
    st.lists(st.tuples(names | words, words), max_size=3),
)
def test_arguments_of_call(
    platform: EmulatorThread, operation: str, pairs: list[tuple[str, str]]
) -> None:
    try:
        given_pairs = [f"{name}={value}" for name, value in pairs if name[:1] != "-"]
        "".join(given_pairs).encode()
    except UnicodeEncodeError:
        return  # no shell can pass it
    check(run(platform, "call", operation, *given_pairs))


@FUZZ
@given(st.binary(max_size=60))
def test_an_environment_file(platform: EmulatorThread, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, ".env").write_bytes(data)
        check(run(platform, "favorites", "itwins", "--ndjson", cwd=Path(folder)))
