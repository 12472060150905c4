"""The commands as a person runs them: in processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path

import attrs
import pytest
import sign_in_browser
from doubles import until
from sign_in_browser import visit

from itwin_async.auth import FileStore
from itwin_async.emulator import Emulator, Fault

from .test_stores import RECORD, sign_ins

TOKEN = "POST /connect/token"


@attrs.frozen
class Done:
    code: int
    out: str
    err: str


class Commands:
    """Runs ``itwin-async`` with a clean environment of its own."""

    def __init__(self, emulator: Emulator, redirect: str, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "ITWIN_BASE_URL": emulator.base_url,
            "ITWIN_ISSUER": emulator.base_url,
            "ITWIN_CLIENT_ID": "native",
            "ITWIN_REDIRECT_URI": redirect,
            "BROWSER": f"{sys.executable} {sign_in_browser.__file__} %s",
        }

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    async def start(self, *words: str, **more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-m", "itwin_async.cli", *words,
            env=self.environment | more, cwd=self.folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def __call__(self, *words: str, **more: str) -> Done:
        process = await self.start(*words, **more)
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())


@pytest.fixture
def commands(emulator: Emulator, redirect: str, tmp_path: Path) -> Commands:
    return Commands(emulator, redirect, tmp_path)


def secrets_of(emulator: Emulator) -> list[str]:
    record = FileStore().load(emulator.base_url)
    assert record is not None
    assert record.refresh is not None
    assert record.access is not None
    return [record.refresh.reveal(), record.access.reveal()]


async def test_login_whoami_and_logout_with_a_browser(
    emulator: Emulator, commands: Commands, settings: Path
) -> None:
    emulator.favorite("demo", *emulator.state.itwins)
    nobody = await commands("whoami")
    assert nobody.code == 2
    assert "itwin-async login" in nobody.err

    done = await commands("login")
    assert done.code == 0, done.err
    assert f"Signed in as demo at {emulator.base_url}" in done.err
    (file,) = sign_ins(settings)
    assert f"the file {file} (mode 0600), because this system has no keyring" in done.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    said = [done]

    listed = await commands("favorites", "itwins", "--json")
    assert len(json.loads(listed.out)) == 3

    said.append(await commands("whoami"))
    lines = dict(line.split(maxsplit=1) for line in said[-1].out.splitlines())
    assert lines["name"] == "demo"
    assert lines["by"] == "the stored sign-in"
    assert lines["scope"] == "itwin-platform offline_access"
    assert lines["expires"].startswith("20")
    said.append(await commands("whoami", "--json"))
    claims = json.loads(said[-1].out)
    assert claims["email"] == "demo@example.com"
    assert claims["client_id"] == "native"
    for secret in secrets_of(emulator):
        for one in said:
            assert secret not in one.out + one.err
    assert [one.grant for one in emulator.token_requests] == ["authorization_code"]

    out = await commands("logout")
    assert (out.code, out.err) == (0, f"Signed out at {emulator.base_url}.\n")
    assert not sign_ins(settings)
    assert "Nobody was signed in" in (await commands("logout")).err
    assert (await commands("favorites", "itwins")).code == 2


async def test_login_without_a_browser_prints_where_to_go(
    emulator: Emulator, commands: Commands
) -> None:
    process = await commands.start("login", "--no-browser", BROWSER="false")
    assert process.stderr is not None
    assert await process.stderr.readline() == b"Open this address to sign in:\n"
    address = (await process.stderr.readline()).decode().strip()
    status, page = await asyncio.to_thread(visit, address)
    assert status == 200
    assert 'id="user-demo"' in page
    assert (await asyncio.to_thread(visit, f"{address}&user=demo"))[0] == 200
    _, err = await process.communicate()
    assert process.returncode == 0
    assert b"Signed in as demo" in err


@pytest.mark.parametrize(
    ("words", "more", "code", "said"),
    [
        (["login", "--wait", "0.1", "--no-browser"], {}, 3, "nobody signed in within 0.1 seconds"),
        (["login"], {"ITWIN_CLIENT_ID": ""}, 2, "--client-id"),
        (["login", "--redirect-uri", "http://example.com/x"], {}, 2, "redirect_uri must"),
        (
            ["login"],
            {"ITWIN_ISSUER": "http://127.0.0.1:9"},
            6,
            "no response from the sign-in server",
        ),
        (["login"], {"ITWIN_ENVIRONMENT": "moon"}, 2, "ITWIN_ENVIRONMENT must be prod, qa or dev"),
        (["whoami"], {"ITWIN_CLIENT_SECRET": "wrong"}, 3, "invalid_client"),
    ],
)
async def test_what_goes_wrong_is_one_line_and_a_code(
    commands: Commands, words: list[str], more: dict[str, str], code: int, said: str
) -> None:
    done = await commands(*words, **{"BROWSER": "false"} | more)
    assert done.code == code
    assert said in done.err.splitlines()[-1]
    assert done.err.count("itwin-async: ") == 1
    assert "Traceback" not in done.err


async def test_a_refusal_in_the_browser_is_told(emulator: Emulator, commands: Commands) -> None:
    process = await commands.start("login", "--no-browser")
    assert process.stderr is not None
    await process.stderr.readline()
    address = (await process.stderr.readline()).decode().strip()
    await asyncio.to_thread(visit, f"{address}&denied=1")
    _, err = await process.communicate()
    assert process.returncode == 3
    assert b"access_denied" in err


async def test_login_can_be_interrupted(commands: Commands, emulator: Emulator) -> None:
    process = await commands.start("login", "--no-browser")
    assert process.stderr is not None
    await process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in err


async def test_whoami_of_a_token_and_of_a_service(emulator: Emulator, commands: Commands) -> None:
    token = emulator.token_for("ann")
    done = await commands("whoami", "--json", ITWIN_ACCESS_TOKEN=token)
    assert json.loads(done.out)["by"] == "the token in ITWIN_ACCESS_TOKEN"
    assert token not in done.out
    done = await commands(
        "whoami", ITWIN_CLIENT_ID="demo-service", ITWIN_CLIENT_SECRET="demo-secret"
    )
    assert "demo-service@apps.imsoidc.bentley.com" in done.out


async def test_the_token_of_the_environment_is_mentioned_after_login(commands: Commands) -> None:
    done = await commands("login", ITWIN_ACCESS_TOKEN="x.y.z")
    assert "ITWIN_ACCESS_TOKEN is set and overrides" in done.err


async def test_only_the_command_line_reads_a_file_of_settings(
    commands: Commands, emulator: Emulator
) -> None:
    commands.write(".env", "ITWIN_CLIENT_ID=native\nITWIN_ACCESS_TOKEN=a.b.c\n")
    del commands.environment["ITWIN_CLIENT_ID"]
    done = await commands("whoami")
    assert "the token in ITWIN_ACCESS_TOKEN" in done.out


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xef\xbb\xbfITWIN_ACCESS_TOKEN=a.b.c", 0),
        (b"# a comment\r\nexport ITWIN_ACCESS_TOKEN = 'a.b.c' # mine\r\n", 0),
        (b"A=1\x002\nITWIN_ACCESS_TOKEN=a.b.c", 2),
        (b"A\x00B=1\nITWIN_ACCESS_TOKEN=a.b.c", 2),
        (b"'A=B'=1\nITWIN_ACCESS_TOKEN=a.b.c", 2),
        ("ITWIN_ACCESS_TOKEN=a.b.c".encode("utf-16"), 2),
        ("ITWIN_ACCESS_TOKEN=a.b.c".encode("utf-16-le"), 2),
    ],
)
async def test_a_file_of_settings_is_read_or_refused_in_one_line(
    commands: Commands, data: bytes, code: int
) -> None:
    (commands.folder / ".env").write_bytes(data)
    done = await commands("whoami")
    assert done.code == code, done.err
    assert done.err.count("\n") == (code != 0)
    assert ("the token in ITWIN_ACCESS_TOKEN" in done.out) == (code == 0)


async def test_two_commands_at_the_same_moment_renew_once(
    emulator: Emulator, commands: Commands
) -> None:
    emulator.token_lifetime = 1e-3
    assert (await commands("login")).code == 0
    emulator.token_lifetime = 3600
    emulator.fault(Fault(match=TOKEN, times=1, latency=0.5))
    before = len(emulator.token_requests)
    done = await asyncio.gather(*(commands("whoami") for _ in range(3)))
    assert [one.code for one in done] == [0, 0, 0], done[0].err
    after = emulator.token_requests[before:]
    assert [(one.grant, one.status) for one in after] == [("refresh_token", 200)]


async def test_an_interrupted_command_keeps_the_sign_in(
    emulator: Emulator, commands: Commands
) -> None:
    emulator.token_lifetime = 1
    assert (await commands("login")).code == 0
    emulator.token_lifetime = 3600
    await asyncio.sleep(1)
    emulator.fault(Fault(match=TOKEN, times=1, trickle=100, tick=0.05))
    process = await commands.start("whoami")
    await until(lambda: len(emulator.token_requests) == 2)
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 130
    done = await commands("whoami")
    assert done.code == 0, done.err
    assert [one.error for one in emulator.token_requests] == [None, None]


async def test_logout_says_if_the_server_did_not_take_it_back(
    emulator: Emulator, commands: Commands, settings: Path
) -> None:
    await commands("login")
    emulator.fail("POST /connect/revocation", status=400)
    done = await commands("logout")
    assert done.code == 6
    assert "Signed out here, but" in done.err
    assert not sign_ins(settings)


async def test_logout_removes_what_others_could_read(
    emulator: Emulator, commands: Commands, settings: Path
) -> None:
    FileStore().save(attrs.evolve(RECORD, issuer=emulator.base_url))
    (file,) = sign_ins(settings)
    file.chmod(0o644)
    done = await commands("logout")
    assert done.code == 0
    assert "Deleted a sign-in that could not be read" in done.err
    assert not sign_ins(settings)
