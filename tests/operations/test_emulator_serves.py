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

# Declared, and deliberately not served; each with its reason.
NOT_EMULATED_YET: dict[str, str] = {}
NOT_SERVED: dict[tuple[str, str], str] = {
    (method, path): "not emulated yet"
    for path, methods in NOT_EMULATED_YET.items()
    for method in methods.split()
}


@pytest.mark.parametrize("route", DECLARED, ids=" ".join)
def test_every_operation_is_served_or_explicitly_not(route: tuple[str, str]) -> None:
    assert (route in EMULATED) != (route in NOT_SERVED)


@pytest.mark.parametrize("route", sorted(DECLARED.keys() & EMULATED.keys()), ids=" ".join)
def test_both_name_it_alike(route: tuple[str, str]) -> None:
    assert EMULATED[route].title == DECLARED[route].title
