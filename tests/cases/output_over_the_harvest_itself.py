"""
A report, or a GeoJSON export, is given the harvest's own name by mistake. Right: it is refused, or the
harvest is still there. Wrong: exit code 0, and all that was harvested is gone.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading

from platform_by_bytes import Server, http, wrong

from itwin_async import ITwinError, Session, harvest


def in_thread(answer):
    """Run a Server in a thread and give it."""
    box, ready = {}, threading.Event()

    async def main():
        async with Server(answer) as server:
            box["server"] = server
            ready.set()
            await asyncio.sleep(60)

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    ready.wait()
    return box["server"]


def cli(url, *arguments, folder=None, stdin=None, **more):
    names = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "HOME": folder or tempfile.mkdtemp()}
    if url:
        names |= {"ITWIN_ACCESS_TOKEN": "a-token-of-a-test", "ITWIN_BASE_URL": url}
    command = [sys.executable, "-m", "itwin_async.cli", *arguments]
    return subprocess.run(
        command, env=names | more, cwd=folder, input=stdin, capture_output=True, timeout=60
    )


ITWIN = "ad0ba809-9241-48ad-9eb0-c8038c1a1d51"
CORNER = {"latitude": 1, "longitude": 2}
ANSWER = http(
    {"iModels": [{"id": "a", "extent": {"southWest": CORNER, "northEast": CORNER}}], "_links": {}}
)
url = in_thread(lambda *_: ANSWER).url
bad = []


def is_there(target):
    try:
        return [item.id for _, item in harvest.read(target)] == ["a"]
    except Exception:
        return False


async def library(target):
    async with Session("a-token-of-a-test", base_url=url) as session:
        await harvest.run(session, harvest.favorite_imodels([ITWIN]).full(), target)
    try:
        harvest.export_geojson(target, target)
    except ITwinError:
        pass


with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/ids.txt", "w") as file:
        file.write(ITWIN)
    base = ("--itwins", "ids.txt", "--full")
    done = cli(url, "harvest", "a.db", *base, "--report", "a.db", folder=folder)
    if not done.returncode and not is_there(f"{folder}/a.db"):
        bad.append("harvest a.db --report a.db")
    for name in ("b.db", "b.ndjson"):
        cli(url, "harvest", name, *base, folder=folder)
        cli(url, "export", name, "--geojson", name, folder=folder)
        if not is_there(f"{folder}/{name}"):
            bad.append(f"export {name} --geojson {name}")
    asyncio.run(library(f"{folder}/c.db"))
    if not is_there(f"{folder}/c.db"):
        bad.append("export_geojson(target, target)")
if bad:
    wrong(f"the harvest is gone after: {'; '.join(bad)}")
