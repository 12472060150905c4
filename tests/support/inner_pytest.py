"""Runs of pytest with the plugin, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

_INI = """
[pytest]
addopts = --strict-markers --strict-config -p no:cacheprovider
filterwarnings = error
"""
_ASYNCIO = "asyncio_mode = {}\nasyncio_default_fixture_loop_scope = function\n"


def runner(pytester: pytest.Pytester) -> Run:
    """Give a function that runs a test file; ``mode`` is pytest-asyncio's, absent without it."""

    def run(
        source: str, *args: str, mode: str | None = "auto", ini: str = "", plugins: str = ""
    ) -> pytest.RunResult:
        pytester.makeini(_INI + (_ASYNCIO.format(mode) if mode else "") + ini)
        pytester.makepyfile(test_it=source)
        names = ["itwin_async", *(["asyncio"] if mode else []), *plugins.split()]
        load = [part for name in names for part in ("-p", name)]
        return pytester.runpytest_subprocess(*load, *args)

    return run
