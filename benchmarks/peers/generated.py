"""The client that openapi-python-client makes of a description of the measured operations."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.peers.contract import contract
from benchmarks.plan import ITWIN_ID, TOKEN, Plan
from benchmarks.raw import ids
from benchmarks.sides import NotOffered

_PACKAGE = "generated_measured_client"


class Generated:
    """
    The generated client; following pages is its user's work.

    Args:
        folder: where its package lies.
    """

    name = "openapi-python-client"
    apart = False

    def __init__(self, folder: TemporaryDirectory[str]) -> None:
        self._folder = folder
        sys.path.insert(0, folder.name)
        self._client = importlib.import_module(_PACKAGE).AuthenticatedClient
        self._calls: dict[str, Callable[..., Awaitable[Any]]] = {}
        for name in ("list_imodels", "list_itwins", "add_imodel"):
            module = importlib.import_module(f"{_PACKAGE}.api.default.{name}")
            self._calls[name] = module.asyncio_detailed

    async def run(self, url: str, plan: Plan) -> int:
        async with self._client(base_url=url, token=TOKEN) as client:
            if plan.kind == "writes":
                return await self._write(client, plan)
            return await self._read(client, plan)

    async def close(self) -> None:
        return

    async def _read(self, client: object, plan: Plan) -> int:
        call, attribute = self._calls["list_imodels"], "i_models"
        query: dict[str, object] = {"i_twin_id": ITWIN_ID, "continuation_token": ""}
        if plan.kind == "itwins":
            call, attribute = self._calls["list_itwins"], "i_twins"
            query = {"skip": 0}
        named = 0
        while True:
            answer = await call(client=client, prefer=plan.prefer, top=plan.page_size, **query)
            page = answer.parsed
            for item in getattr(page, attribute):
                if item.display_name:
                    named += 1
            if plan.pause:
                await asyncio.sleep(plan.pause)
            following = getattr(page.field_links, "next_", None)
            if not following:
                return named
            found = parse_qs(urlsplit(following.href).query)
            if plan.kind == "itwins":
                query["skip"] = int(found["$skip"][0])
            else:
                query["continuation_token"] = found["$continuationToken"][0]

    async def _write(self, client: object, plan: Plan) -> int:
        call, slots = self._calls["add_imodel"], asyncio.Semaphore(plan.concurrency)

        async def put(key: str) -> int:
            async with slots:
                answer = await call(key, client=client)
                return int(answer.status_code == 204)

        return sum(await asyncio.gather(*[put(key) for key in ids(plan)]))


def side() -> Generated:
    """
    Generate the client.

    Returns:
        The side.

    Raises:
        NotOffered: the generator is missing, or failed.
    """
    if find_spec("openapi_python_client") is None:
        raise NotOffered("openapi-python-client is not installed")
    folder: TemporaryDirectory[str] = TemporaryDirectory()
    place = Path(folder.name)
    (place / "contract.json").write_text(json.dumps(contract()), encoding="utf-8")
    (place / "settings.json").write_text('{"post_hooks": []}', encoding="utf-8")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--path", f"{place / 'contract.json'}", "--config", f"{place / 'settings.json'}"]
    command += ["--output-path", f"{place / _PACKAGE}"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise NotOffered("openapi-python-client failed: " + " ".join(made.stderr.split())[-200:])
    return Generated(folder)
