"""
The official TypeScript client of the iModels API, in a Node process that lives through a workload.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.plan import ITWIN_ID, TOKEN, Plan
from benchmarks.raw import ids
from benchmarks.sides import NotOffered

_PACKAGE = "@itwin/imodels-client-management@^6.2.2"
_DRIVER = Path(__file__).with_name("driver.cjs")


class TypeScript:
    """
    The client, driven through a pipe.

    Args:
        node: the interpreter.
        folder: where its packages lie.
    """

    name = "official TypeScript"
    apart = True

    def __init__(self, node: str, folder: TemporaryDirectory[str]) -> None:
        self._node = node
        self._folder = folder
        self._child: asyncio.subprocess.Process | None = None

    async def run(self, url: str, plan: Plan) -> int:
        if plan.kind == "itwins":
            raise NotOffered("it is a client of the iModels API alone")
        work: dict[str, object] = {
            "url": url,
            "token": TOKEN,
            "itwinId": ITWIN_ID,
            "pageSize": plan.page_size,
            "full": plan.full,
            "pause": plan.pause,
            "concurrency": plan.concurrency,
        }
        if plan.kind == "writes":
            work["ids"] = ids(plan)
        child = self._child
        if child is None:
            driver = str(Path(self._folder.name) / _DRIVER.name)
            child = self._child = await asyncio.create_subprocess_exec(
                self._node, driver, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(work).encode() + b"\n")
        return int(await child.stdout.readline() or -1)

    async def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            assert child.stdin is not None
            child.stdin.close()
            await child.wait()


def side() -> TypeScript:
    """
    Install the client in a temporary folder.

    Returns:
        The side.

    Raises:
        NotOffered: Node or npm is missing, or the package cannot be installed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotOffered("Node.js with npm is not installed")
    folder: TemporaryDirectory[str] = TemporaryDirectory()
    command = [npm, "install", "--prefix", folder.name, "--silent", "--no-audit", _PACKAGE]
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if made.returncode:
        raise NotOffered(f"npm could not install {_PACKAGE}")
    shutil.copy(_DRIVER, folder.name)
    return TypeScript(node, folder)
