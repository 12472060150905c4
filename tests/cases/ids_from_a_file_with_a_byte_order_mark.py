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

from platform_by_bytes import Server, cli, http, in_thread, page, wrong


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
