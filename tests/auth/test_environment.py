from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from sign_in_browser import Browser

from itwin_async import AuthenticationError, ConfigurationError, Session, itwins
from itwin_async.auth import AuthorizationCode, ClientCredentials, FileStore
from itwin_async.auth._environment import find_credentials, find_platform
from itwin_async.emulator import Emulator

from .test_stores import ISSUER, RECORD

PROD = ("https://api.bentley.com/", "https://ims.bentley.com")
QA = ("https://qa-api.bentley.com/", "https://qa-ims.bentley.com")
DEV = ("https://dev-api.bentley.com/", "https://qa-ims.bentley.com")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, PROD),
        ({"ITWIN_ENVIRONMENT": "prod"}, PROD),
        ({"ITWIN_ENVIRONMENT": " QA "}, QA),
        ({"ITWIN_ENVIRONMENT": "dev"}, DEV),
        ({"IMJS_URL_PREFIX": "qa-"}, QA),
        ({"IMJS_URL_PREFIX": "dev-"}, DEV),
        ({"IMJS_URL_PREFIX": ""}, PROD),
        ({"IMJS_URL_PREFIX": "dev-", "ITWIN_ENVIRONMENT": "prod"}, PROD),
        (
            {"ITWIN_ENVIRONMENT": "qa", "ITWIN_BASE_URL": "https://proxy.example"},
            ("https://proxy.example/", QA[1]),
        ),
        (
            {"ITWIN_ENVIRONMENT": "qa", "ITWIN_ISSUER": "https://sso.example/realm/"},
            (QA[0], "https://sso.example/realm"),
        ),
    ],
)
def test_the_environment_names_platform_and_sign_in_server(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: tuple[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert attrs.astuple(find_platform()) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ITWIN_ENVIRONMENT", "staging"),
        ("IMJS_URL_PREFIX", "evil.example/"),
        ("IMJS_URL_PREFIX", "qa"),
        ("ITWIN_BASE_URL", "http://api.bentley.com"),
        ("ITWIN_ISSUER", "http://ims.bentley.com"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "x")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError):
        Session.from_env()


def test_without_credentials_all_three_ways_are_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Session.from_env()
    for way in (
        "ITWIN_ACCESS_TOKEN",
        "ITWIN_CLIENT_ID",
        "ITWIN_CLIENT_SECRET",
        "itwin-async login",
    ):
        assert way in str(caught.value)


@pytest.mark.parametrize(
    ("there", "lacking"),
    [
        ("ITWIN_CLIENT_ID", "ITWIN_CLIENT_SECRET"),
        ("ITWIN_CLIENT_SECRET", "ITWIN_CLIENT_ID"),
        ("ITP_SERVICE_CLIENT_ID", "ITP_SERVICE_CLIENT_SECRET"),
    ],
)
def test_half_of_a_pair_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, there: str, lacking: str
) -> None:
    monkeypatch.setenv(there, "hidden-value")
    with pytest.raises(ConfigurationError, match=f"{there} .*{lacking}") as caught:
        Session.from_env()
    assert "hidden-value" not in str(caught.value)


def test_the_order_of_the_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    FileStore().save(attrs.evolve(RECORD, saved_at=1.0))
    assert isinstance(find_credentials().source, AuthorizationCode)
    for name in ("ITP_SERVICE_CLIENT", "ITWIN_CLIENT"):
        monkeypatch.setenv(f"{name}_ID", name)
        assert name == "ITWIN_CLIENT" or isinstance(find_credentials().source, AuthorizationCode)
        monkeypatch.setenv(f"{name}_SECRET", "x")
        source = find_credentials().source
        assert isinstance(source, ClientCredentials)
        assert source._client.client_id == name
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "  ")
    assert isinstance(find_credentials().source, ClientCredentials)
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "token")
    assert find_credentials().source == "token"


@pytest.mark.parametrize("prefix", ["ITWIN_CLIENT", "ITP_SERVICE_CLIENT"])
async def test_a_service_in_the_environment_works(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    emulator.add_client("from-env", " secret with blanks ")
    monkeypatch.setenv("ITWIN_BASE_URL", emulator.base_url)
    monkeypatch.setenv("ITWIN_ISSUER", emulator.base_url)
    monkeypatch.setenv(f"{prefix}_ID", "from-env")
    monkeypatch.setenv(f"{prefix}_SECRET", " secret with blanks ")
    async with Session.from_env() as session:
        await itwins.list_favorites(session)
    assert emulator.token_requests[-1].client_id == "from-env"


async def test_a_stored_sign_in_works_and_goes_nowhere_else(
    emulator: Emulator, redirect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITWIN_BASE_URL", emulator.base_url)
    monkeypatch.setenv("ITWIN_ISSUER", emulator.base_url)
    provider = AuthorizationCode(
        "native", issuer=emulator.base_url, redirect_uri=redirect, base_url=emulator.base_url
    )
    await provider.sign_in(Browser())
    async with Session.from_env() as session:
        await itwins.list_favorites(session)
    monkeypatch.setenv("ITWIN_BASE_URL", "https://evil.example")
    with pytest.raises(ConfigurationError, match="evil"):
        Session.from_env()


@pytest.mark.parametrize(
    ("issuer", "environment", "fits"),
    [(ISSUER, "prod", True), (QA[1], "qa", True), (QA[1], "dev", True), (ISSUER, "qa", False)],
)
def test_a_sign_in_is_good_for_the_platforms_of_its_server(
    monkeypatch: pytest.MonkeyPatch, issuer: str, environment: str, fits: bool
) -> None:
    FileStore().save(attrs.evolve(RECORD, issuer=issuer, base_url="https://first.example/"))
    monkeypatch.setenv("ITWIN_ENVIRONMENT", environment)
    if fits:
        assert find_credentials().description == "the stored sign-in"
    else:
        with pytest.raises(ConfigurationError):
            find_credentials()


async def test_the_environments_token_is_sent_as_it_is(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITWIN_BASE_URL", emulator.base_url)
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", f"Bearer {emulator.token}")
    async with Session.from_env() as session:
        await itwins.list_favorites(session)
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", base64.b64encode(b"other").decode())
    async with Session.from_env() as session:
        with pytest.raises(AuthenticationError):
            await itwins.list_favorites(session)


LEAN = """
import sys
import itwin_async
session = itwin_async.Session("token")
print([name for name in sys.modules if name.startswith("itwin_async.auth")])
from itwin_async import auth
import os
os.environ["ITWIN_ACCESS_TOKEN"] = "token"
itwin_async.Session.from_env()
print([name for name in ("keyring", "filelock", "aiohttp.web", "click") if name in sys.modules])
"""


def test_sign_in_is_loaded_when_it_is_asked_for(settings: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LEAN], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
    assert not re.search("Warning", done.stderr)
