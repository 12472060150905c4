"""An S3 server in a process of its own: moto, which knows conditional writes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.request import Request, urlopen

import attrs
import pytest

# One request after another, since moto's conditional writes are not atomic among threads.
_PROGRAM = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app))
"""


@attrs.frozen
class S3:
    url: str

    @property
    def options(self) -> dict[str, str]:
        """What ``storage_options`` and the environment take."""
        return {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
        }

    def create(self, bucket: str) -> None:
        """Make a bucket."""
        signed = "AWS4-HMAC-SHA256 Credential=key/20200101/us-east-1/s3/aws4_request"
        headers = {"Authorization": f"{signed}, SignedHeaders=host, Signature=none"}
        with urlopen(Request(f"{self.url}/{bucket}", headers=headers, method="PUT")) as answer:
            assert answer.status == 200


@contextmanager
def running() -> Iterator[S3]:
    """Run a server; skip where moto is not installed."""
    pytest.importorskip("moto")
    pytest.importorskip("flask_cors")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, f"{port}"],
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        _wait(port, process)
        yield S3(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)  # another process is starting
        else:
            return
    pytest.fail("moto cannot be started", pytrace=False)
