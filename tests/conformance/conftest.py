from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REQUIRED = os.environ.get("CONFORMANCE") == "required"


def unavailable(reason: str) -> None:
    """Skip, or fail where these tests have to run."""
    message = f"the official clients cannot drive the emulator: {reason}"
    if REQUIRED:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The official clients, installed as the lock file says, outside of the working tree."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        unavailable("Node.js with npm is not installed")
    lock = (HERE / "package-lock.json").read_bytes()
    name = f"itwin-async-conformance-{hashlib.sha256(lock).hexdigest()[:12]}"
    place = Path(tempfile.gettempdir()) / name
    if not (place / "complete").exists():
        _install(str(npm), place)
    return place / "node_modules"


def _install(npm: str, place: Path) -> None:
    fresh = Path(tempfile.mkdtemp(prefix="itwin-async-conformance-"))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, fresh)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=fresh, capture_output=True, text=True, timeout=100, check=False
        )
    except subprocess.TimeoutExpired:
        shutil.rmtree(fresh)
        unavailable("npm ci took too long")
    if done.returncode:
        shutil.rmtree(fresh)
        unavailable(f"npm ci failed: {done.stderr.strip()[-500:]}")
    (fresh / "complete").touch()
    try:
        fresh.rename(place)
    except OSError:
        shutil.rmtree(fresh)  # another process was faster
