"""
A file .env that begins with a byte order mark gives its first variable all the same.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading

from platform_by_bytes import Server, cli, http, in_thread, page, wrong


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
