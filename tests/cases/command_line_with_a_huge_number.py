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

from platform_by_bytes import Server, cli, http, in_thread, wrong


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
