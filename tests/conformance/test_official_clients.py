from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import attrs
import pytest
from npm_packages import NpmError, install

from itwin_async.emulator import SERVED, EmulatorThread

HERE = Path(__file__).parent
REQUIRED = os.environ.get("CONFORMANCE") == "required"
STEPS = [
    name
    for file in ("drive.cjs", "authoring.cjs")
    for name in re.findall(r'^ +async "([^"]+)"\(\)', (HERE / file).read_text(), re.MULTILINE)
]

# The clients have no function for these, as far as npm has them.
NOT_THEIRS = {
    "POST /itwins/favorites/{id}",
    "DELETE /itwins/favorites/{id}",
    "POST /itwins/recents/{id}",
    "GET /itwins/exports",
    "POST /itwins/exports",
    "GET /itwins/exports/{id}",
    "DELETE /itwins/{id}/image",
    "GET /itwins/{id}/image",
    "PUT /itwins/{id}/image",
    "GET /itwins/{id}/repositories/{repositoryId}",
    "PATCH /itwins/{id}/repositories/{repositoryId}",
    "GET /itwins/{id}/repositories/{repositoryId}/resources",
    "POST /itwins/{id}/repositories/{repositoryId}/resources",
    "DELETE /itwins/{id}/repositories/{repositoryId}/resources/{resourceId}",
    "GET /itwins/{id}/repositories/{repositoryId}/resources/{resourceId}",
    "GET /itwins/{id}/repositories/{repositoryId}/resources/{resourceId}/graphics",
    "GET /itwins/repositories",
    "GET /itwins/repositories/{repositoryId}",
    "GET /itwins/repositories/{repositoryId}/resources",
    "GET /itwins/repositories/{repositoryId}/resources/{resourceId}",
    "GET /itwins/repositories/{repositoryId}/resources/{resourceId}/graphics",
}


@attrs.frozen
class Drive:
    outcomes: dict[str, str | None]
    counts: dict[str, int]
    violations: list[str]


def unavailable(reason: str) -> NoReturn:
    """Skip, or fail where these tests have to run."""
    message = f"the official clients cannot drive the emulator: {reason}"
    if REQUIRED:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The official clients, installed as the lock file says, outside of the working tree."""
    try:
        return install(HERE) / "node_modules"
    except NpmError as error:
        unavailable(str(error))


@pytest.fixture(scope="module")
def drive(node_modules: Path) -> Iterator[Drive]:
    """One run of all steps."""
    node = shutil.which("node")
    with EmulatorThread(itwins=12, imodels=30, strict=True) as emulator:
        emulator.work_seconds = 0
        arguments = [emulator.base_url, emulator.token, emulator.token_for("ana")]
        done = subprocess.run(
            [str(node), str(HERE / "drive.cjs"), *arguments],
            input=json.dumps(_truth(emulator)),
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(node_modules), "NO_PROXY": "*"},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        if done.returncode:
            unavailable(f"node ended with {done.returncode}: {done.stderr[-1000:]}")
        yield Drive(json.loads(done.stdout), dict(emulator.counts), list(emulator.violations))


def _truth(emulator: EmulatorThread) -> dict[str, object]:
    world = emulator.state
    first = next(iter(world.itwins))
    marks = world.favorites["demo"]
    return {
        "itwins": [itwin.full() for itwin in world.itwins.values()],
        "activeItwins": [key for key, row in world.itwins.items() if row.status != "Inactive"],
        "recentItwins": marks and world.recents["demo"].itwins,
        "favoriteImodels": {
            first: [key for key in marks.imodels if world.imodels[key].itwin_id == first]
        },
    }


@pytest.mark.parametrize("step", STEPS)
def test_step(drive: Drive, step: str) -> None:
    assert drive.outcomes[step] is None, drive.outcomes[step]


def test_every_step_ran(drive: Drive) -> None:
    assert list(drive.outcomes) == STEPS


def test_every_operation_was_called(drive: Drive) -> None:
    operations = {
        f"{one.method} {one.path}" for one in SERVED if not one.path.startswith("/savedviews")
    }
    assert operations - drive.counts.keys() == NOT_THEIRS


def test_only_what_was_meant_to_be_refused_was_refused(drive: Drive) -> None:
    meant = (
        "Castle",
        "no-guid",
        "Required property is missing",
        "Unauthorized",
        "InvalidAuthorizationScheme",
        "takes no Changesets",
    )
    assert [line for line in drive.violations if not any(word in line for word in meant)] == []
