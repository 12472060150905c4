"""
A file system may have names that are no UTF-8. Right: what works without --report and --json works with
them; a harvest that is done does not end as "a defect".
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading

from platform_by_bytes import Server, http, page, wrong


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
url = in_thread(lambda *_: http(page(["a"]))).url
bad = []
with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/ids.txt", "w") as file:
        file.write(ITWIN)
    name = b"caf\xe9.ndjson"
    done = cli(
        url, "harvest", name, "--itwins", "ids.txt", "--report", "report.json", folder=folder
    )
    if done.returncode:
        bad.append(f"--report: exit {done.returncode}, {done.stderr.decode().strip()[:80]}")
    done = cli(url, "harvest", "status", name, "--json", folder=folder)
    if done.returncode:
        bad.append(f"status --json: exit {done.returncode}")
if bad:
    wrong("; ".join(bad))
