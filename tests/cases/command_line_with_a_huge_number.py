"""
A member that nobody asked for holds a number beyond a double. The library reads such a page. Right: so does
the command line, in every form of output.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading

from platform_by_bytes import Server, http, wrong


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


def answer(method, target, headers, number):
    return http(b'{"iTwins":[{"id":"a","displayName":"A","mass":1e400}],"_links":{}}')


url = in_thread(answer).url
bad = []
for form in ("--table", "--json", "--ndjson"):
    done = cli(url, "favorites", "itwins", form)
    if done.returncode or b"A" not in done.stdout:
        bad.append(f"{form}: exit {done.returncode}, {done.stderr.decode().strip()[:90]}")
if bad:
    wrong(bad[0] + f" ({len(bad)} of 3 forms)")
