"""The canned server as a child process."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import attrs

from benchmarks.plan import Plan


@attrs.frozen
class Server:
    """
    A running canned server.

    Attributes:
        url: its base URL.
    """

    url: str

    def cpu(self) -> float:
        """
        Ask how much CPU time it has used.

        Returns:
            Seconds.
        """
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc)
        try:
            connection.request("GET", "/cpu")
            return float(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def serving(plan: Plan) -> Iterator[Server]:
    """
    Run a server for a plan.

    Args:
        plan: what it serves.

    Yields:
        The server.
    """
    command = [sys.executable, "-m", "benchmarks.server"]
    command += ["--amount", f"{plan.amount}", "--page-size", f"{plan.page_size}"]
    command += ["--latency", f"{plan.latency}"]
    if plan.megabits:
        command += ["--gzip", "--megabits", f"{plan.megabits}"]
    if not plan.full:
        command.append("--minimal")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield Server(child.stdout.readline().strip())
        finally:
            child.stdin.close()
