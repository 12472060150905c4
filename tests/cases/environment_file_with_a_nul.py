"""
A file .env with a NUL (UTF-16 without a mark, a damaged disk) is wrong configuration: exit code 2 and words,
not "a defect".
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


url = in_thread(lambda *_: http(page(["a"], key="iTwins"))).url
bad = []
for line in (b"A\x00B=1\n", b"AB=1\x002\n"):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/.env", "wb") as file:
            file.write(
                line
                + b"ITWIN_ACCESS_TOKEN=a-token-of-a-test\nITWIN_BASE_URL="
                + url.encode()
                + b"\n"
            )
        done = cli(None, "favorites", "itwins", folder=folder)
        if done.returncode not in {0, 2} or b"defect" in done.stderr:
            bad.append(f"exit {done.returncode}: {done.stderr.decode().strip()}")
if bad:
    wrong(bad[0])
