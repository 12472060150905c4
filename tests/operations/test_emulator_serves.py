"""The emulator and the client declare the same operations, each for itself."""

from __future__ import annotations

import re

import pytest

from itwin_async import catalog
from itwin_async.emulator import SERVED

DECLARED = {
    (operation.method, re.sub(r"\{\w+\}", "{}", operation.path)): operation
    for operation in (entry.operation for entry in catalog.operations())
}
EMULATED = {(served.method, re.sub(r"\{\w+\}", "{}", served.path)): served for served in SERVED}


@pytest.mark.parametrize("route", DECLARED, ids=" ".join)
def test_every_operation_is_served(route: tuple[str, str]) -> None:
    assert route in EMULATED


@pytest.mark.parametrize("route", DECLARED, ids=" ".join)
def test_both_name_it_alike(route: tuple[str, str]) -> None:
    assert EMULATED[route].title == DECLARED[route].title
