"""Other CPythons, each with an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.worker import ROOT


@contextmanager
def environment(version: str) -> Iterator[str]:
    """
    Make an environment with this package for a CPython, and give its interpreter.

    Args:
        version: such as ``"3.12"``, looked for in ``PATH`` and in pyenv; the one that runs this if
            empty; or a path to an interpreter that has the package already.

    Raises:
        SystemExit: there is none.
    """
    if not version or "/" in version or "\\" in version:
        yield version or sys.executable
        return
    creator = _found(version)
    if creator is None:
        raise SystemExit(f"no CPython {version} here")
    with TemporaryDirectory() as folder:
        subprocess.run([creator, "-m", "venv", folder], check=True)
        python = f"{folder}/bin/python"
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", f"{ROOT}[testing]", "orjson"], check=True
        )
        yield python


def _found(version: str) -> str | None:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(f"python{version}")]
    candidates += [f"{path}" for path in pyenv.glob(f"versions/{version}.*/bin/python")]
    for candidate in candidates:
        if candidate and not subprocess.run([candidate, "-c", ""], check=False).returncode:
            return candidate
    return None
