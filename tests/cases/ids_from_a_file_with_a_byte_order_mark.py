"""
Excel, Notepad and PowerShell begin UTF-8 files with a byte order mark. Right: a file of ids, and ids on
stdin, are read as if it were not there.
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


def answer(method, target, headers, number):
    return http(status=204) if method == "PUT" else http(page(["a"]))


url = in_thread(answer).url
bad = []
with tempfile.TemporaryDirectory() as folder:
    text = b"\xef\xbb\xbf" + ITWIN.encode() + b"\r\n"
    with open(f"{folder}/ids.txt", "wb") as file:
        file.write(text)
    done = cli(url, "harvest", "a.ndjson", "--itwins", "ids.txt", folder=folder)
    if done.returncode:
        bad.append(f"--itwins FILE: exit {done.returncode}, the first list fails")
    done = cli(url, "favorites", "add", "imodel", "-", folder=folder, stdin=text)
    if done.returncode:
        bad.append(f"ids on stdin: exit {done.returncode}, nothing is sent")
if bad:
    wrong("; ".join(bad))
