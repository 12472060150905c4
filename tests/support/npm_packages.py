"""The npm packages of a folder of tests, installed outside of the working tree."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path


class NpmError(Exception):
    """They cannot be installed here."""


def install(folder: Path) -> Path:
    """Return where the packages of the folder's lock file are, installed when they are not yet."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NpmError("Node.js with npm is not installed")
    digest = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()[:12]
    installed = Path(tempfile.gettempdir()) / f"itwin-async-{folder.name}-{digest}"
    if not (installed / "complete").exists():
        _install(npm, folder, installed)
    return installed


def _install(npm: str, folder: Path, installed: Path) -> None:
    fresh = Path(tempfile.mkdtemp(prefix="itwin-async-npm-"))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, fresh)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=fresh, capture_output=True, text=True, timeout=100, check=False
        )
    except subprocess.TimeoutExpired:
        shutil.rmtree(fresh)
        raise NpmError("npm ci took too long") from None
    if done.returncode:
        shutil.rmtree(fresh)
        raise NpmError(f"npm ci failed: {done.stderr.strip()[-500:]}")
    (fresh / "complete").touch()
    try:
        fresh.rename(installed)
    except OSError:
        shutil.rmtree(fresh)  # another process was faster
