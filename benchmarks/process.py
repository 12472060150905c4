"""The canned server as a child process, and one that keeps a core busy."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import attrs

from benchmarks.plan import Plan

_SPIN = """
import select, sys
while not select.select([sys.stdin], [], [], 0)[0]:
    sum(range(1_000_000))
"""


@attrs.frozen
class Server:
    """
    A running canned server.

    Attributes:
        url: its base URL.
        plan: what it serves, with the authority of its certificate.
    """

    url: str
    plan: Plan

    def usage(self) -> tuple[float, int]:
        """Ask for the CPU seconds that it has used, and how many calls it has refused."""
        host = urlsplit(self.url).netloc
        if self.plan.authority:
            trusting = ssl.create_default_context(cafile=self.plan.authority)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, context=trusting
            )
        else:
            connection = http.client.HTTPConnection(host)
        try:
            connection.request("GET", "/usage")
            seconds, refused = connection.getresponse().read().split()
            return float(seconds), int(refused)
        finally:
            connection.close()


@contextmanager
def serving(plan: Plan) -> Iterator[Server]:
    """Run a server for a plan."""
    command = [sys.executable, "-m", "benchmarks.server", "--script", plan.script]
    command += ["--amount", f"{plan.amount}", "--page-size", f"{plan.page_size}"]
    command += ["--latency", f"{plan.latency}"]
    command += ["--allowed", f"{plan.allowed}", "--per-seconds", f"{plan.per_seconds}"]
    command += ["--burst", f"{plan.burst}"]
    if plan.megabits:
        command += ["--gzip", "--megabits", f"{plan.megabits}"]
    if not plan.full:
        command.append("--minimal")
    with TemporaryDirectory() as folder:
        if plan.tls:
            plan = attrs.evolve(plan, authority=_certified(Path(folder)))
            command += ["--certificate", f"{folder}/server.pem"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            try:
                yield Server(child.stdout.readline().strip(), plan)
            finally:
                child.stdin.close()


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep as many cores busy as there are processes."""
    spinning = [
        subprocess.Popen([sys.executable, "-c", _SPIN], stdin=subprocess.PIPE)
        for _ in range(processes)
    ]
    try:
        yield
    finally:
        for child in spinning:
            assert child.stdin is not None
            child.stdin.close()
            child.wait()


def _certified(folder: Path) -> str:
    import trustme  # noqa: PLC0415 - only for TLS

    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        folder / "server.pem"
    )
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return f"{folder / 'authority.pem'}"
