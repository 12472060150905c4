"""Azurite, Microsoft's emulator of Azure's storage, and shared access signatures for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import attrs
import pytest
from npm_packages import NpmError, install

ACCOUNT = "devstoreaccount1"
# The key that its documentation publishes.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_VERSION = "2020-10-02"


@attrs.frozen
class Azurite:
    url: str

    def sign(
        self, container: str, blob: str = "", *, rights: str = "racwl", seconds: float = 600
    ) -> str:
        """Make the query of a signed address, for a blob or a whole container."""
        fields = {
            "sp": rights,
            "st": _moment(-600),
            "se": _moment(seconds),
            "spr": "https,http",
            "sv": _VERSION,
            "sr": "b" if blob else "c",
        }
        resource = f"/blob/{ACCOUNT}/{container}" + (f"/{blob}" if blob else "")
        parts = [fields["sp"], fields["st"], fields["se"], resource, "", "", fields["spr"]]
        parts += [fields["sv"], fields["sr"], "", "", "", "", "", ""]
        signature = hmac.new(base64.b64decode(KEY), "\n".join(parts).encode(), hashlib.sha256)
        fields["sig"] = base64.b64encode(signature.digest()).decode()
        return urlencode(fields)

    def address(self, container: str, blob: str, **options: object) -> str:
        query = self.sign(container, blob, **options)  # type: ignore[arg-type]
        return f"{self.url}/{container}/{quote(blob)}?{query}"

    def create(self, container: str) -> None:
        """Make a container, with the account's key."""
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        headers = {"x-ms-date": date, "x-ms-version": _VERSION, "Content-Length": "0"}
        canonical = f"x-ms-date:{date}\nx-ms-version:{_VERSION}\n"
        resource = f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
        text = "PUT" + "\n" * 12 + canonical + resource
        signature = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"
        request = Request(
            f"{self.url}/{container}?restype=container", method="PUT", headers=headers
        )
        with urlopen(request, timeout=30) as answer:
            assert answer.status == 201

    def put(self, container: str, blob: str, data: bytes) -> None:
        """Put a blob there by other means than the package's."""
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
        address = self.address(container, blob)
        with urlopen(Request(address, data, headers, method="PUT"), timeout=30) as answer:
            assert answer.status == 201


def unavailable(reason: str) -> NoReturn:
    """Skip, or fail where these tests have to run."""
    message = f"Azurite cannot be started: {reason}"
    if os.environ.get("CONFORMANCE") == "required":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@contextmanager
def running(folder: Path) -> Iterator[Azurite]:
    """Run Azurite as the lock file of the tests says, with its data in a folder."""
    try:
        modules = install(Path(__file__).parent.parent / "files") / "node_modules"
    except NpmError as error:
        unavailable(str(error))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    node = shutil.which("node")
    script = modules / "azurite" / "dist" / "src" / "blob" / "main.js"
    options = ["--blobHost", "127.0.0.1", "--blobPort", f"{port}", "--location", f"{folder}"]
    with (folder / "azurite.log").open("wb") as log:
        process = subprocess.Popen(
            [f"{node}", f"{script}", *options, "--silent", "--disableTelemetry"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait(port, process, folder)
        yield Azurite(f"http://127.0.0.1:{port}/{ACCOUNT}")
    finally:
        process.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)  # another process is starting
        else:
            return
    unavailable((folder / "azurite.log").read_text(errors="replace")[-1000:])


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
