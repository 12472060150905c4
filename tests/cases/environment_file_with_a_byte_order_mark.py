"""
A file .env that begins with a byte order mark gives its first variable all the same.
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
with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/.env", "wb") as file:
        file.write(
            b"\xef\xbb\xbfITWIN_ACCESS_TOKEN=a-token-of-a-test\nITWIN_BASE_URL="
            + url.encode()
            + b"\n"
        )
    done = cli(None, "favorites", "itwins", folder=folder)
if done.returncode:
    wrong(f"exit {done.returncode}: {done.stderr.decode().strip()}")
