"""Other CPythons, each with an environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.worker import ROOT


class MissingInterpreterError(Exception):
    """
    An interpreter is not here, or gets no environment; the text says why.
    """


@contextmanager
def environment(wanted: str, *, peers: bool = False) -> Iterator[str]:
    """
    Make an environment for a CPython, and give its interpreter.

    It has the releases that are installed here, so that interpreters alone are compared, and the
    package is that of this folder.

    Args:
        wanted: such as ``"3.12"``, looked for in ``PATH`` and in pyenv; the one that runs this if
            empty; or a path to an interpreter that has what it takes already.
        peers: whether other clients are installed too.

    Raises:
        MissingInterpreterError: there is none, or a package has no wheel for it.
    """
    if not wanted or "/" in wanted or "\\" in wanted or wanted == _own():
        yield wanted if "/" in wanted or "\\" in wanted else sys.executable
        return
    creator = _found(wanted)
    if creator is None:
        raise MissingInterpreterError(
            f"no CPython {wanted} here: neither python{wanted} in PATH nor one of pyenv"
        )
    with TemporaryDirectory() as folder:
        python = f"{folder}/bin/python"
        _do(f"no environment for CPython {wanted}", creator, "-m", "venv", folder)
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        wheels = ("--only-binary", ":all:", *_requirements(peers=peers))
        _do(f"no wheels for CPython {wanted}", python, *install, *wheels)
        yield python


def _own() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _requirements(*, peers: bool) -> list[str]:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = [re.split(r"[^\w-]", text)[0] for text in declared["project"]["dependencies"]]
    pinned = [f"{name}=={version(name)}" for name in (*needed, "orjson")]
    return [*pinned, *(declared["dependency-groups"]["bench-peers"] if peers else ())]


def _do(failure: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise MissingInterpreterError(": ".join([failure, *last]))


def _found(wanted: str) -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(f"python{wanted}")]
    candidates += [f"{path}" for path in pyenv.glob(f"versions/{wanted}.*/bin/python")]
    for candidate in candidates:
        if candidate:
            asked = [candidate, "-c", ""]
            if not subprocess.run(asked, capture_output=True, check=False).returncode:
                return candidate
    return None
