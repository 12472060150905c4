"""
Known secrets go through every way to fail, and are then looked for wherever something is left.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

import attrs
import keyring
import keyring.backend
import msgspec
import pytest
from doubles import CannedServer, Exchange, FakeClock, RawServer
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from leaks import leaks, texts_of
from sign_in_browser import answering, free_port

from itwin_async import ITwinError, RetryPolicy, Session, Timeout
from itwin_async._http.credentials import Secret, TokenProvider
from itwin_async.auth import AuthorizationCode, ClientCredentials, FileStore, KeyringStore
from itwin_async.auth._environment import find_credentials

from .test_stores import RECORD

SECRETS = {
    "client": "THE SECRET+of/the%client=ä",
    "refresh": "THE-REFRESH-TOKEN.of+the/test",
    "access": "THE-ACCESS-TOKEN.of.the-test",
    "fresh": "THE-FRESH-TOKEN.of.the-test",
    "next": "THE-NEXT-REFRESH.of.the-test",
    "code": "THE-CODE-OF-THE-TEST",
}


def forms(secret: str) -> list[str]:
    """How a secret may look in bytes that were sent, quoted or logged."""
    pair = f"me:{quote_plus(secret)}"
    return [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        secret.encode("unicode_escape").decode(),
        base64.b64encode(pair.encode()).decode(),
    ]


FORMS = [form for secret in SECRETS.values() for form in forms(secret)]


def everything_kept(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.glob("*"))


def read(error: BaseException) -> dict[str, str]:
    return texts_of(error, without=(__file__,))


# What a broken or malicious sign-in server may do with what it was sent.
async def echo_400(exchange: Exchange) -> None:
    await exchange.reply(exchange.head + exchange.body, status=400)


async def echo_401(exchange: Exchange) -> None:
    await exchange.reply(exchange.head + exchange.body, status=401)


async def echo_502(exchange: Exchange) -> None:
    await exchange.reply(exchange.head + exchange.body, status=502)


async def limited(exchange: Exchange) -> None:
    await exchange.reply(exchange.body, status=429, headers=["Retry-After: 9000"])


async def described(exchange: Exchange) -> None:
    # The description quotes all that the request held, quoted and plain.
    quoted = exchange.head + exchange.body + " ".join(SECRETS.values()).encode()
    text = quoted.replace(b"\r\n", b" ").replace(b'"', b"'").replace(b"\\", b"/")
    await exchange.reply(
        b'{"error": "invalid_grant", "error_description": "%s"}' % text[-280:], status=400
    )


async def described_short(exchange: Exchange) -> None:
    for secret in SECRETS.values():
        if quote_plus(secret).encode() in exchange.body:
            break
    else:
        secret = SECRETS["client"]
    text = f'{{"error": "invalid_scope", "error_description": "you sent {secret}"}}'
    await exchange.reply(text.encode(), status=400)


async def coded(exchange: Exchange) -> None:
    secret = SECRETS["refresh"] if b"refresh" in exchange.body else SECRETS["client"]
    await exchange.reply(f'{{"error": "{secret}"}}'.encode(), status=400)


async def redirect(exchange: Exchange) -> None:
    await exchange.reply(b"", status=307, headers=[f"Location: /x?{SECRETS['refresh']}"])


async def tokens_but_broken(exchange: Exchange) -> None:
    body = f'{{"access_token": "{SECRETS["fresh"]}", "refresh_token": "{SECRETS["next"]}", '
    await exchange.reply(body.encode())


async def tokens_of_another_kind(exchange: Exchange) -> None:
    body = f'{{"access_token": "{SECRETS["fresh"]}", "token_type": "{SECRETS["next"]}"}}'
    await exchange.reply(body.encode())


async def token_in_two_lines(exchange: Exchange) -> None:
    await exchange.reply(f'{{"access_token": "{SECRETS["fresh"]}\\n"}}'.encode())


async def refresh_token_in_a_list(exchange: Exchange) -> None:
    fresh, following = SECRETS["fresh"], SECRETS["next"]
    body = f'{{"access_token": "{fresh}", "refresh_token": ["{following}"]}}'
    await exchange.reply(body.encode())


async def cut(exchange: Exchange) -> None:
    await exchange.reply(b'{"access_token": "' + SECRETS["fresh"].encode(), length=1000)
    exchange.close()


async def close(exchange: Exchange) -> None:
    exchange.close()


async def nonsense(exchange: Exchange) -> None:
    await exchange.send(exchange.head + exchange.body)
    exchange.close()


async def hang(exchange: Exchange) -> None:
    await asyncio.sleep(5)


HANDLERS = [
    echo_400, echo_401, echo_502, limited, described, described_short, coded, redirect,
    tokens_but_broken, tokens_of_another_kind, token_in_two_lines, refresh_token_in_a_list, cut,
    close, nonsense, hang,
]  # fmt: skip


@asynccontextmanager
async def hostile(handler: Callable[[Exchange], Awaitable[None]]) -> AsyncIterator[str]:
    """A sign-in server that is honest about its addresses only."""

    async def answer(exchange: Exchange) -> None:
        if exchange.target.startswith("/.well-known"):
            url = server.base_url
            await exchange.reply(
                f'{{"issuer": "{url}", "token_endpoint": "{url}/t", "authorization_endpoint": '
                f'"{url}/a", "revocation_endpoint": "{url}/r"}}'.encode()
            )
        else:
            await handler(exchange)

    async with RawServer(answer) as server:
        yield server.base_url


def service(issuer: str) -> ClientCredentials:
    return ClientCredentials(
        "me",
        SECRETS["client"],
        issuer=issuer,
        retry=RetryPolicy(retries=1, rate_limit_retries=1, base=0),
        timeout=Timeout(total=5, attempt=0.2),
    )


def person(issuer: str) -> AuthorizationCode:
    return AuthorizationCode(
        "me",
        issuer=issuer,
        store=FileStore(),
        redirect_uri=f"http://127.0.0.1:{free_port()}/x",
        retry=RetryPolicy(retries=1, rate_limit_retries=1, base=0),
        timeout=Timeout(total=5, attempt=0.2),
    )


def store(issuer: str) -> None:
    FileStore().save(
        attrs.evolve(
            RECORD,
            issuer=issuer,
            client_id="me",
            refresh=Secret(SECRETS["refresh"]),
            access=Secret(SECRETS["access"]),
            expires_at=0.0,
        )
    )


async def by_service(issuer: str) -> None:
    await service(issuer).get_token()


async def by_session(issuer: str) -> None:
    async with Session(service(issuer), base_url=issuer) as session:
        await session.request("GET", "/x")


async def by_refresh(issuer: str) -> None:
    store(issuer)
    await person(issuer).get_token()


async def by_early_refresh(issuer: str) -> None:
    store(issuer)
    async with Session(person(issuer), base_url=issuer) as session:
        await session.request("GET", "/x")


async def by_code(issuer: str) -> None:
    await person(issuer).sign_in(answering(code=SECRETS["code"], state=""))


async def by_signing_out(issuer: str) -> None:
    store(issuer)
    await person(issuer).sign_out()
    raise ITwinError("some answers suffice to be signed out")


@pytest.mark.parametrize("way", [by_service, by_session, by_refresh, by_early_refresh, by_code,
                                 by_signing_out])  # fmt: skip
@pytest.mark.parametrize("handler", HANDLERS)
async def test_no_failure_shows_a_secret(
    way: Callable[[str], Awaitable[None]],
    handler: Callable[[Exchange], Awaitable[None]],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    settings: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with hostile(handler) as issuer:
        with pytest.raises(ITwinError) as caught:
            await way(issuer)
    out, err = capfd.readouterr()
    texts = read(caught.value) | {"log": caplog.text, "stdout": out, "stderr": err}
    for record in caplog.records:
        texts[f"log record {record.name}"] = repr(vars(record))
    assert leaks(texts, FORMS) == []
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    kept = everything_kept(settings)
    for name in ("client", "code", "fresh"):
        assert not any(form in kept for form in forms(SECRETS[name])), "kept without a need"


async def test_a_cancelled_request_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with hostile(hang) as issuer:
        for way in (by_service, by_refresh):
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.05):
                    await way(issuer)
            assert leaks(read(caught.value) | {"log": caplog.text}, FORMS) == []


class Chatty(keyring.backend.KeyringBackend):
    """A keyring whose errors quote what it was given."""

    priority = 5  # type: ignore[assignment]

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError(SECRETS["refresh"])

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(password)

    def delete_password(self, service: str, username: str) -> None:
        raise RuntimeError(SECRETS["refresh"])


async def good_tokens(exchange: Exchange) -> None:
    body = f'{{"access_token": "{SECRETS["fresh"]}", "refresh_token": "{SECRETS["next"]}"}}'
    await exchange.reply(body.encode())


@pytest.mark.parametrize("place", ["keyring", "folder"])
async def test_a_sign_in_that_cannot_be_kept_shows_no_secret(
    settings: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    caplog.set_level(logging.DEBUG)
    keyring.set_keyring(Chatty())
    async with hostile(good_tokens) as issuer:
        store(issuer)
        provider = AuthorizationCode.of(
            attrs.evolve(RECORD, issuer=issuer, client_id="me"), store=_Broken(place)
        )
        with pytest.raises(ITwinError) as caught:
            await provider.get_token()
    assert leaks(read(caught.value) | {"log": caplog.text}, FORMS) == []
    assert SECRETS["fresh"] not in everything_kept(settings)


class _Broken:
    def __init__(self, place: str) -> None:
        self.load = FileStore().load
        self.delete = FileStore().delete
        self.save = (KeyringStore() if place == "keyring" else FileStore(Path("/dev/null/x"))).save


def test_reprs_show_no_secret(clock: FakeClock) -> None:
    issuer = "http://127.0.0.1:9"
    store(issuer)
    record = FileStore().load(issuer)
    provider, signed_in = service(issuer), person(issuer)
    assert isinstance(provider, TokenProvider)
    values = [record, provider, signed_in, provider._client, provider._server, provider._cache]
    texts = {str(index): f"{value!r} {value}" for index, value in enumerate(values)}
    texts |= {
        f"vars {index}": repr(getattr(value, "__dict__", "")) for index, value in enumerate(values)
    }
    assert leaks(texts, FORMS) == []
    for value in (record, provider):
        with pytest.raises(TypeError, match="a secret is not pickled"):
            pickle.dumps(value)


@pytest.mark.parametrize("name", ["ITWIN_ACCESS_TOKEN", "ITWIN_CLIENT_SECRET"])
@pytest.mark.parametrize(
    ("other", "value"),
    [("ITWIN_ISSUER", "http://x.example"), ("ITWIN_BASE_URL", "x"), ("ITWIN_ENVIRONMENT", "y"),
     ("ITWIN_CLIENT_ID", "\x07"), ("ITWIN_ACCESS_TOKEN", f"{SECRETS['access']} two words")],
)  # fmt: skip
def test_an_environment_that_makes_no_sense_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, other: str, value: str
) -> None:
    monkeypatch.setenv(name, SECRETS["access" if "TOKEN" in name else "client"])
    monkeypatch.setenv(other, value)
    if other == "ITWIN_CLIENT_ID":
        monkeypatch.delenv("ITWIN_ACCESS_TOKEN", raising=False)
    with pytest.raises(ITwinError) as caught:
        Session.from_env()
    assert leaks(read(caught.value), FORMS) == []


def test_credentials_that_were_found_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", SECRETS["access"])
    assert leaks({"repr": repr(find_credentials())}, FORMS) == []


async def test_the_platform_gets_no_token_of_another(canned: CannedServer) -> None:
    # A link or a redirect of the sign-in server takes no secret along.
    async def away(exchange: Exchange) -> None:
        await exchange.reply(b"", status=308, headers=[f"Location: {canned.base_url}/t"])

    async with hostile(away) as issuer:
        with pytest.raises(ITwinError):
            await by_service(issuer)
    assert canned.seen == []


@given(
    # Hypothesis also tries texts that it finds in the sources, which show for other reasons.
    secret=st.text(st.characters(codec="utf-8"), min_size=8, max_size=80).map("§".__add__),
    status=st.sampled_from([400, 401, 403, 429, 500, 503, 302, 404]),
    code=st.sampled_from(["invalid_client", "invalid_scope", "other", ""]),
    quoting=st.sampled_from([str, quote_plus, lambda text: quote(text, safe="")]),
    padding=st.integers(0, 320),
)
@hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_no_secret_whatever_it_is_and_however_it_is_quoted(
    caplog: pytest.LogCaptureFixture,
    secret: str,
    status: int,
    code: str,
    quoting: Callable[[str], str],
    padding: int,
) -> None:
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    text = f"{'.' * padding} you sent {quoting(secret)}"
    body = msgspec.json.encode({"error": code, "error_description": text} if code else {"x": text})

    async def answer(exchange: Exchange) -> None:
        await exchange.reply(body, status=status, headers=["Retry-After: 9000"])

    async with hostile(answer) as issuer:
        provider = ClientCredentials(
            "me", secret, issuer=issuer, retry=RetryPolicy(retries=0, rate_limit_retries=0)
        )
        with pytest.raises(ITwinError) as caught:
            await provider.get_token()
    texts = read(caught.value) | {"log": caplog.text}
    assert leaks(texts, {secret, quote_plus(secret), quote(secret, safe="")}) == []
