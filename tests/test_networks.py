"""Corporate networks: a forward proxy, a private certificate authority, and the environment."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest
import trustme
from documents import blocks, text
from doubles import CannedServer, Seen
from forward_proxy import ForwardProxy, TlsServer, forwarding

from itwin_async import ConfigurationError, RetryPolicy, Session, TransportError, files, imodels
from itwin_async.auth import AuthorizationCode, ClientCredentials
from itwin_async.errors import FailureKind

PLATFORM = "api.platform.test"
ISSUER = "ims.platform.test"
STORAGE = "blobs.storage.test"
HOSTS = (PLATFORM, ISSUER, STORAGE)
ONCE = RetryPolicy(retries=0)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without proxies, certificates and credentials."""
    for name in list(os.environ):
        upper = name.upper()
        if upper.endswith("_PROXY") or upper.startswith(("ITWIN_", "SSL_CERT", "ITP_", "IMJS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
async def server(ca: trustme.CA) -> AsyncIterator[TlsServer]:
    def respond(seen: Seen) -> dict[str, object]:
        host = seen.headers["Host"]
        if seen.target.endswith("openid-configuration"):
            where = f"https://{ISSUER}"
            return {"issuer": where, "token_endpoint": f"{where}/token"}
        if seen.target == "/token":
            return {"access_token": "made", "token_type": "Bearer", "expires_in": 3600}
        assert host == PLATFORM, seen
        return {"iModel": {"id": "m", "displayName": "M"}}

    async with TlsServer(ca, *HOSTS) as server:
        server.respond = respond
        yield server


@pytest.fixture
async def proxy(server: TlsServer) -> AsyncIterator[ForwardProxy]:
    async with forwarding(dict.fromkeys(HOSTS, server.port)) as proxy:
        yield proxy


async def test_a_service_behind_a_proxy_and_a_private_ca(
    server: TlsServer, proxy: ForwardProxy, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("ITWIN_CA_FILE", ca_file)
    monkeypatch.setenv("ITWIN_BASE_URL", f"https://{PLATFORM}")
    monkeypatch.setenv("ITWIN_ISSUER", f"https://{ISSUER}")
    monkeypatch.setenv("ITWIN_CLIENT_ID", "service")
    monkeypatch.setenv("ITWIN_CLIENT_SECRET", "hush")
    async with Session.from_env() as session:
        assert (await imodels.get_imodel(session, "m")).id == "m"
    assert {line.partition(":")[0] for line in proxy.asked} == {
        f"CONNECT {ISSUER}",
        f"CONNECT {PLATFORM}",
    }
    assert server.seen[-1].token == "made"


async def test_what_the_environment_says_can_be_overridden(
    server: TlsServer, proxy: ForwardProxy, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "t")
    base_url = f"https://{PLATFORM}"
    async with Session.from_env(base_url=base_url, proxy=proxy.url, ssl=context) as session:
        await imodels.get_imodel(session, "m")
    assert proxy.asked == [f"CONNECT {PLATFORM}:443"]
    # Without the environment the name is looked up here, and not known.
    async with Session.from_env(base_url=base_url, trust_env=False, retry=ONCE) as session:
        with pytest.raises(TransportError) as caught:
            await imodels.get_imodel(session, "m")
    assert caught.value.kind == "dns"


async def test_a_provider_of_ones_own_has_the_same_settings(
    server: TlsServer, proxy: ForwardProxy, ca: trustme.CA
) -> None:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    issuer = f"https://{ISSUER}"
    service = ClientCredentials("id", "hush", issuer=issuer, proxy=proxy.url, ssl=context)
    assert await service.get_token() == "made"
    untrusting = ClientCredentials("id", "hush", issuer=issuer, proxy=proxy.url, retry=ONCE)
    with pytest.raises(TransportError) as caught:
        await untrusting.get_token()
    assert not caught.value.retryable
    assert repr(AuthorizationCode("id", issuer=issuer, proxy=proxy.url, trust_env=False))


@pytest.mark.parametrize("exempt", [PLATFORM, ".platform.test", "*", f"other.test, {PLATFORM}"])
async def test_hosts_in_no_proxy_are_reached_without(
    proxy: ForwardProxy, exempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exempt)
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "t")
    async with Session.from_env(base_url=f"https://{PLATFORM}", retry=ONCE) as session:
        with pytest.raises(TransportError) as caught:
            await imodels.get_imodel(session, "m")
    assert caught.value.kind == "dns"
    assert proxy.asked == []


async def test_a_storage_host_has_a_way_of_its_own(
    server: TlsServer,
    proxy: ForwardProxy,
    ca_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The platform through the proxy, the storage past it."""
    plain = server.respond
    assert plain is not None

    def respond(seen: Seen) -> object:
        if "baselinefile" in seen.target:
            link = {"href": f"https://{STORAGE}/f.bim?sig=x"}
            return {
                "baselineFile": {
                    "id": "m",
                    "fileSize": 3,
                    "state": "initialized",
                    "_links": {"download": link},
                }
            }
        return plain(seen)

    server.respond = respond  # type: ignore[assignment]
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", STORAGE)
    monkeypatch.setenv("ITWIN_CA_FILE", ca_file)
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "t")
    async with Session.from_env(base_url=f"https://{PLATFORM}", retry=ONCE) as session:
        with pytest.raises(TransportError) as caught:
            await files.download(session, await imodels.get_baseline_file(session, "m"), tmp_path)
    assert caught.value.kind == "dns"
    assert STORAGE in caught.value.path
    assert proxy.asked == [f"CONNECT {PLATFORM}:443"]


async def test_a_proxy_with_a_password_that_no_error_shows(
    server: TlsServer, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "t")
    monkeypatch.setenv("ITWIN_CA_FILE", ca_file)
    async with forwarding({PLATFORM: server.port}, user="me:open-sesame") as proxy:
        base_url = f"https://{PLATFORM}"
        async with Session.from_env(base_url=base_url, proxy=proxy.url) as session:
            await imodels.get_imodel(session, "m")
            assert "open-sesame" not in repr(session)
        wrong = proxy.url.replace("sesame", "barley")
        async with Session.from_env(base_url=base_url, proxy=wrong) as session:
            with pytest.raises(TransportError) as caught:
                await imodels.get_imodel(session, "m")
        assert caught.value.kind == "proxy"
        assert not caught.value.retryable
        assert "barley" not in f"{caught.value!r} {caught.value}"
        assert len(proxy.asked) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ITWIN_CA_FILE", "/nowhere/ca.pem"),
        ("ITWIN_CA_FILE", __file__),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_DIR", "/nowhere"),
        ("HTTPS_PROXY", "socks5://u:open-sesame@127.0.0.1:1080"),
    ],
)
def test_values_that_cannot_work_are_told_before_any_request(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "t")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        Session.from_env()
    assert "open-sesame" not in str(caught.value)


async def test_pythons_own_variable_works_when_it_is_set_late(
    server: TlsServer, proxy: ForwardProxy, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "t")
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    async with Session.from_env(base_url=f"https://{PLATFORM}") as session:
        await imodels.get_imodel(session, "m")
    assert proxy.asked


async def test_this_machine_is_reached_without_a_proxy(
    canned: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "t")
    async with Session.from_env(base_url=canned.base_url) as session:
        await session.request("GET", "/x")


async def command(
    folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "itwin_async.cli", *arguments,
        cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return subprocess.CompletedProcess(
        arguments, process.returncode or 0, out.decode(), err.decode()
    )


@pytest.mark.parametrize("options", [True, False])
async def test_commands_go_through_the_proxy(
    server: TlsServer, proxy: ForwardProxy, ca_file: str, tmp_path: Path, options: bool
) -> None:
    platform = {
        "ITWIN_BASE_URL": f"https://{PLATFORM}",
        "ITWIN_ISSUER": f"https://{ISSUER}",
        "ITWIN_CLIENT_ID": "service",
        "ITWIN_CLIENT_SECRET": "hush",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    given = ["--proxy", proxy.url, "--ca-file", ca_file] if options else []
    if not options:
        platform |= {"HTTPS_PROXY": proxy.url, "ITWIN_CA_FILE": ca_file}
    done = await command(tmp_path, *given, "call", "imodels.get_imodel", "imodel_id=m", **platform)
    assert done.returncode == 0, done.stderr
    assert '"M"' in done.stdout
    assert len(proxy.asked) >= 2
    proxy.asked.clear()
    done = await command(tmp_path, *given, "whoami", "--json", **platform)
    assert done.returncode == 0, done.stderr
    assert {line.partition(":")[0] for line in proxy.asked} == {f"CONNECT {ISSUER}"}


async def test_a_file_of_somebody_else_names_neither_proxy_nor_certificates(
    server: TlsServer, proxy: ForwardProxy, ca_file: str, tmp_path: Path
) -> None:
    tmp_path.joinpath(".env").write_text(
        f"HTTPS_PROXY={proxy.url}\nhttps_proxy={proxy.url}\nITWIN_CA_FILE={ca_file}\n"
        f"ITWIN_BASE_URL=https://{PLATFORM}\n"
    )
    path = os.pathsep.join(path for path in sys.path if path)
    done = await command(
        tmp_path,
        "call",
        "imodels.get_imodel",
        "imodel_id=m",
        ITWIN_ACCESS_TOKEN="t",
        PYTHONPATH=path,
    )
    assert done.returncode != 0
    assert proxy.asked == []
    assert server.seen == []


def test_the_chapter_names_what_there_is() -> None:
    chapter = text("docs/networks.md")
    told = set(re.findall(r'^\| `"([a-z ]+)"` \|', chapter, re.MULTILINE))
    assert told <= set(get_args(FailureKind))
    assert {"dns", "proxy", "tls", "token provider"} <= told
    (snippet,) = blocks("docs/networks.md", "python")
    exec(compile(snippet, "networks.md", "exec"), {})


async def test_the_commands_of_the_chapter_run(
    server: TlsServer, proxy: ForwardProxy, ca_file: str, tmp_path: Path
) -> None:
    variables = {
        "ITWIN_ACCESS_TOKEN": "eyJhbGciOiJub25lIn0.e30.x",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    for block in blocks("docs/networks.md", "sh"):
        lines = block.replace("/etc/ssl/certs/corp.pem", ca_file).splitlines()
        exports = [line.removeprefix("export ") for line in lines if line.startswith("export ")]
        given = dict(each.split("=", 1) for each in exports)
        tmp_path.joinpath("corp.pem").write_bytes(Path(ca_file).read_bytes())
        for line in lines[len(exports) :]:
            done = await command(tmp_path, *line.split()[1:], **variables, **given)
            assert done.returncode == 0, done.stderr
