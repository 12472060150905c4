from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import openapi_spec_validator
import pytest
import schemathesis
from schemathesis.specs.openapi import checks

from itwin_async.emulator import Emulator, EmulatorThread

EXAMPLES = 6
NOT_MEANT = [checks.ignored_auth]  # any token is somebody's in the emulator
# Valid for OpenAPI, which has no words for names that exclude or need each other, for opaque
# tokens and for expressions.
MAY_BE_REFUSED = (
    {"status", "includeInactive"},
    {"$continuationToken"},
    {"subClass"},  # of repositories: only together with its class
    *({name} for name in ("$filter", "$orderby", "$select")),
)
DOCUMENT = Emulator(itwins=0).openapi()
schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=3, imodels=5) as emulator:
        yield emulator


def _parts(case: Any) -> list[tuple[Any, Any]]:
    return list(case.meta.components.items()) if case.meta else []


def test_the_document_is_valid() -> None:
    openapi_spec_validator.validate(DOCUMENT)


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_the_emulator_does_what_its_document_says(case: Any, emulator: EmulatorThread) -> None:
    emulator.reset()
    headers = {"Authorization": f"Bearer {emulator.token}"}
    excluded = list(NOT_MEANT)
    body = case.body if isinstance(case.body, dict) else {}
    expressions = {f"${name}" for name in ("filter", "select") if body.get(name)}
    if any(names <= {*(case.query or {}), *expressions} for names in MAY_BE_REFUSED):
        excluded.append(checks.positive_data_acceptance)
    if any(kind.value == "header" and part.mode.is_negative for kind, part in _parts(case)):
        excluded.append(checks.negative_data_rejection)  # the good token above takes its place
    case.call_and_validate(base_url=emulator.base_url, headers=headers, excluded_checks=excluded)
