from __future__ import annotations

import asyncio
import base64
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest
from doubles import FakeClock, until
from sign_in_browser import Browser, answering, visit

from itwin_async import (
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    RetryPolicy,
    ServerError,
    Session,
    itwins,
)
from itwin_async._http.credentials import Secret
from itwin_async.auth import AuthorizationCode, FileStore, StoredSignIn
from itwin_async.auth._browser import Proof
from itwin_async.auth._files import locked
from itwin_async.emulator import Emulator, Fault

from .test_stores import sign_ins

TOKEN = "POST /connect/token"


def grants(emulator: Emulator) -> list[str]:
    return [one.grant for one in emulator.token_requests if one.error is None]


@pytest.fixture
def again(person: AuthorizationCode, settings: Path, policy: RetryPolicy) -> AuthorizationCode:
    """The same sign-in as another program sees it."""
    return AuthorizationCode(
        "native",
        issuer=person._issuer,
        redirect_uri=str(person._redirect_uri),
        base_url=person._base_url,
        store=FileStore(settings),
        retry=policy,
    )


async def test_a_person_signs_in_and_a_session_works(
    emulator: Emulator, person: AuthorizationCode, settings: Path
) -> None:
    browser = Browser()
    where = await person.sign_in(browser)
    assert where.startswith(f"the file {settings}")
    assert browser.pages[0][0] == 200
    assert "Back to the terminal" in browser.pages[0][1]
    emulator.favorite("demo", *emulator.state.itwins)
    async with Session(person, base_url=emulator.base_url) as session:
        assert len(await itwins.list_favorites(session).collect()) == 3
    assert grants(emulator) == ["authorization_code"]


async def test_the_page_is_asked_with_proof_and_state(
    person: AuthorizationCode, redirect: str
) -> None:
    first, second = Browser(), Browser()
    await person.sign_in(first)
    await person.sign_in(second)
    one, other = first.query(), second.query()
    assert one["response_type"] == "code"
    assert one["client_id"] == "native"
    assert one["redirect_uri"] == redirect
    assert one["scope"] == "itwin-platform offline_access"
    assert one["code_challenge_method"] == "S256"
    assert len(base64.urlsafe_b64decode(one["code_challenge"] + "=")) == 32
    assert one["state"] != other["state"]
    assert one["code_challenge"] != other["code_challenge"]
    assert min(len(one["state"]), len(one["code_challenge"])) == 43


def test_the_challenge_is_that_of_the_standard() -> None:
    # The example of RFC 7636, appendix B.
    proof = Proof(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), Secret("x"))
    assert proof.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_the_scope_that_keeps_a_sign_in_is_added_once(emulator: Emulator) -> None:
    for scopes in ("itwin-platform", "offline_access itwin-platform", ("itwin-platform",)):
        provider = AuthorizationCode("native", scopes, issuer=emulator.base_url)
        assert sorted(provider._scopes) == ["itwin-platform", "offline_access"]


async def test_a_refusal_at_the_redirect_is_shown_and_raised(
    emulator: Emulator, person: AuthorizationCode, settings: Path
) -> None:
    browser = Browser(more="&denied=1")
    with pytest.raises(AuthenticationError, match="The user did not sign in") as caught:
        await person.sign_in(browser)
    assert caught.value.code == "access_denied"
    status, page = browser.pages[0]
    assert status == 400
    assert "The user did not sign in" in page
    assert not sign_ins(settings)
    assert not emulator.token_requests


async def test_what_a_refusal_says_is_escaped_and_unknown_codes_are_not_quoted(
    person: AuthorizationCode,
) -> None:
    browser = answering(error="<b>x</b>", error_description="<script>1</script>", state="")
    with pytest.raises(AuthenticationError) as caught:
        await person.sign_in(browser)
    assert caught.value.code is None
    assert "<b>" not in str(caught.value)
    page = browser.pages[0][1]  # type: ignore[attr-defined]
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("code", "status"), [("server_error", 500), ("temporarily_unavailable", 503)]
)
async def test_an_outage_at_the_redirect_is_not_a_rejection(
    person: AuthorizationCode, code: str, status: int
) -> None:
    with pytest.raises(ServerError) as caught:
        await person.sign_in(answering(error=code, state=""))
    assert (caught.value.status, caught.value.code) == (status, code)


async def test_an_answer_without_a_code_is_a_refusal(person: AuthorizationCode) -> None:
    with pytest.raises(AuthenticationError):
        await person.sign_in(answering(state=""))


@pytest.mark.parametrize("state", ["wrong", "ä", None])
async def test_an_answer_with_a_wrong_state_is_refused_and_the_right_one_still_awaited(
    emulator: Emulator,
    person: AuthorizationCode,
    caplog: pytest.LogCaptureFixture,
    state: str | None,
) -> None:
    false = answering(code="stolen", **({} if state is None else {"state": state}))
    true = Browser()

    def both(url: str) -> None:
        false(url)
        true(url)

    await person.sign_in(both)
    assert false.pages[0][0] == 400  # type: ignore[attr-defined]
    assert [one.status for one in emulator.token_requests] == [200]
    assert "stolen" not in caplog.text
    assert caplog.text


async def test_only_the_redirect_address_itself_is_served(
    person: AuthorizationCode, redirect: str
) -> None:
    seen: list[int] = []

    def look_around(url: str) -> None:
        seen.append(visit(redirect.replace("signin", "other"))[0])
        with socket.create_connection(("127.0.0.1", urlsplit(redirect).port or 0)) as peer:
            peer.sendall(b"POST /signin-callback HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            seen.append(int(peer.recv(100).split()[1]))
        Browser()(url)

    await person.sign_in(look_around)
    assert seen == [404, 405]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(redirect).port or 0))


async def test_nobody_comes(person: AuthorizationCode) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await person.sign_in(lambda url: None, wait=0.05)
    assert caught.value.code == "SignInTimedOut"


async def test_the_redirect_address_is_taken(person: AuthorizationCode, redirect: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", urlsplit(redirect).port or 0))
        taken.listen()
        with pytest.raises(ConfigurationError, match=re.escape(redirect)):
            await person.sign_in(Browser())


async def test_an_address_that_is_not_registered_leads_nowhere(
    emulator: Emulator, settings: Path
) -> None:
    browser = Browser()
    provider = AuthorizationCode(
        "demo-native",
        issuer=emulator.base_url,
        redirect_uri="http://127.0.0.1:3999/other",
        store=FileStore(settings),
    )
    with pytest.raises(AuthenticationError) as caught:
        await provider.sign_in(browser, wait=0.1)
    assert caught.value.code == "SignInTimedOut"
    assert browser.pages[0][0] == 400


@pytest.mark.parametrize(
    "uri",
    [
        "https://localhost:3000/x", "http://example.com/x", "http://0.0.0.0:3000/x",
        "http://localhost.example.com/x", "http://u@localhost:3000/x", "http://localhost:3000/x?a",
        "http://localhost:3000/x#a", "http://localhost:99999/x", "", "localhost:3000", None,
        "http://127.0.0.2:3000/x",
    ],
)  # fmt: skip
def test_the_redirect_must_lead_to_this_machine(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="redirect_uri"):
        AuthorizationCode("a", redirect_uri=uri)


def test_a_provider_needs_an_application() -> None:
    with pytest.raises(ArgumentError) as caught:
        AuthorizationCode("")
    assert caught.value.argument == "client_id"


async def test_nobody_is_signed_in(person: AuthorizationCode, emulator: Emulator) -> None:
    with pytest.raises(AuthenticationError, match="itwin-async login") as caught:
        await person.get_token()
    assert caught.value.code == "SignInRequired"
    assert not emulator.token_requests


async def test_another_program_goes_on_with_the_same_token(
    emulator: Emulator, person: AuthorizationCode, again: AuthorizationCode
) -> None:
    await person.sign_in(Browser())
    assert await again.get_token() == await person.get_token()
    assert grants(emulator) == ["authorization_code"]


async def test_a_refresh_token_is_used_once_and_the_next_one_kept(
    emulator: Emulator, person: AuthorizationCode, again: AuthorizationCode, clock: FakeClock
) -> None:
    await person.sign_in(Browser())
    tokens = {await person.get_token()}
    for _ in range(5):
        clock.now += 3590
        tokens |= {await person.get_token(), await again.get_token()}
    assert len(tokens) == 6
    assert grants(emulator) == ["authorization_code"] + 5 * ["refresh_token"]
    assert all(one.error is None for one in emulator.token_requests)


async def test_ten_providers_refresh_at_once_with_one_request(
    emulator: Emulator, person: AuthorizationCode, settings: Path, clock: FakeClock
) -> None:
    await person.sign_in(Browser())
    clock.now += 3590
    policy = RetryPolicy(clock=clock, now=clock)
    record = FileStore(settings).load(emulator.base_url)
    assert record is not None
    others = [
        AuthorizationCode.of(record, store=FileStore(settings), retry=policy) for _ in range(10)
    ]
    tokens = await asyncio.gather(*(one.get_token() for one in others))
    assert len(set(tokens)) == 1
    assert grants(emulator) == ["authorization_code", "refresh_token"]


async def test_it_is_refreshed_ten_minutes_early(
    emulator: Emulator, person: AuthorizationCode, clock: FakeClock
) -> None:
    await person.sign_in(Browser())
    first = await person.get_token()
    clock.now += 2990
    assert await person.get_token() == first
    clock.now += 20
    tokens = await asyncio.gather(*(person.get_token() for _ in range(50)))
    assert sum(token == first for token in tokens) == 49
    assert grants(emulator)[1:] == ["refresh_token"]


async def test_an_early_refresh_waits_for_no_other_process(
    emulator: Emulator, person: AuthorizationCode, clock: FakeClock, policy: RetryPolicy
) -> None:
    await person.sign_in(Browser())
    first = await person.get_token()
    clock.now += 3010
    slept = len(clock.sleeps)
    async with locked(emulator.base_url, policy, 1):
        assert await person.get_token() == first
    assert len(clock.sleeps) == slept
    clock.now += 31
    assert await person.get_token() != first


async def test_an_early_refresh_survives_an_outage_of_the_store(
    person: AuthorizationCode, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await person.sign_in(Browser())
    first = await person.get_token()
    clock.now += 3010

    def down(issuer: str) -> StoredSignIn | None:
        raise OSError("no connection")

    with monkeypatch.context() as patch:
        patch.setattr(person._store, "load", down)
        assert await person.get_token() == first
    clock.now += 31
    assert await person.get_token() != first


async def test_what_is_lacking_is_told_before_the_browser_opens(
    person: AuthorizationCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    browser = Browser()
    with pytest.raises(ConfigurationError, match=r"itwin-async\[login\]"):
        await person.sign_in(browser)
    assert browser.urls == []


async def test_a_refused_token_is_replaced_though_it_is_kept(
    emulator: Emulator, person: AuthorizationCode, again: AuthorizationCode
) -> None:
    await person.sign_in(Browser())
    async with Session(again, base_url=emulator.base_url) as session:
        emulator.expire(await again.get_token())
        await asyncio.gather(*(itwins.list_favorites(session).first() for _ in range(20)))
    assert grants(emulator)[1:] == ["refresh_token"]


async def test_a_failing_server_keeps_the_sign_in(
    emulator: Emulator, person: AuthorizationCode, clock: FakeClock
) -> None:
    await person.sign_in(Browser())
    clock.now += 3600
    emulator.fail(TOKEN, status=503, times=5)
    with pytest.raises(ServerError):
        await person.get_token()
    assert await person.get_token()


async def test_a_sign_in_that_was_ended_elsewhere_is_dropped(
    emulator: Emulator, person: AuthorizationCode, settings: Path, clock: FakeClock
) -> None:
    await person.sign_in(Browser())
    record = FileStore(settings).load(emulator.base_url)
    assert record is not None
    await AuthorizationCode.of(record, store=FileStore(settings)).sign_out()
    FileStore(settings).save(record)
    clock.now += 3600
    with pytest.raises(AuthenticationError) as caught:
        await person.get_token()
    assert caught.value.code == "invalid_grant"
    assert not sign_ins(settings)
    with pytest.raises(AuthenticationError) as caught:
        await person.get_token()
    assert caught.value.code == "SignInRequired"


async def test_a_sign_in_without_refresh_token_ends_with_its_token(
    emulator: Emulator, person: AuthorizationCode, settings: Path, clock: FakeClock
) -> None:
    await person.sign_in(Browser())
    store = FileStore(settings)
    record = store.load(emulator.base_url)
    assert record is not None
    store.save(attrs.evolve(record, refresh=None))
    clock.now += 3600
    with pytest.raises(AuthenticationError) as caught:
        await person.get_token()
    assert caught.value.code == "SignInRequired"


async def slow_answer(emulator: Emulator, person: AuthorizationCode) -> asyncio.Task[str]:
    """Begin a refresh whose answer is on its way: the old refresh token is used up."""
    emulator.fault(Fault(match=TOKEN, times=1, trickle=100, tick=0.02))
    task = asyncio.create_task(person.get_token())
    await until(lambda: "refresh_token" in grants(emulator))
    assert not task.done()
    return task


async def test_a_cancelled_caller_does_not_lose_the_sign_in(
    emulator: Emulator, person: AuthorizationCode, again: AuthorizationCode, clock: FakeClock
) -> None:
    await person.sign_in(Browser())
    clock.now += 3600
    task = await slow_answer(emulator, person)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # What the server handed out was kept, so the next one needs no other.
    assert await again.get_token()
    assert await person.get_token() == await again.get_token()
    assert grants(emulator)[1:] == ["refresh_token"]


async def test_whoever_insists_is_cancelled_at_once(
    emulator: Emulator, person: AuthorizationCode, clock: FakeClock
) -> None:
    await person.sign_in(Browser())
    clock.now += 3600
    task = await slow_answer(emulator, person)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.01)
    assert task.cancelled()


async def test_signing_out_takes_everything_back(
    emulator: Emulator, person: AuthorizationCode, settings: Path
) -> None:
    await person.sign_in(Browser())
    token = await person.get_token()
    assert await person.sign_out() is True
    assert not sign_ins(settings)
    async with Session(token, base_url=emulator.base_url) as session:
        with pytest.raises(AuthenticationError):
            await itwins.list_favorites(session)
    with pytest.raises(AuthenticationError) as caught:
        await person.get_token()
    assert caught.value.code == "SignInRequired"
    assert await person.sign_out() is False


async def test_signing_out_forgets_even_if_the_server_fails(
    emulator: Emulator, person: AuthorizationCode, settings: Path
) -> None:
    await person.sign_in(Browser())
    emulator.fail("POST /connect/revocation", status=500, times=9)
    with pytest.raises(ServerError):
        await person.sign_out()
    assert not sign_ins(settings)


async def test_the_sign_in_of_another_application_is_not_used(
    emulator: Emulator, person: AuthorizationCode, settings: Path
) -> None:
    await person.sign_in(Browser())
    other = AuthorizationCode("other", issuer=emulator.base_url, store=FileStore(settings))
    with pytest.raises(AuthenticationError) as caught:
        await other.get_token()
    assert caught.value.code == "SignInRequired"


class _Full:
    """A store that does not take anything."""

    def __init__(self, store: FileStore) -> None:
        self.load: Callable[[str], StoredSignIn | None] = store.load
        self.delete: Callable[[str], bool] = store.delete
        self.saved = 0

    def save(self, record: StoredSignIn) -> str:
        self.saved += 1
        raise ConfigurationError("the disk is full")


async def test_a_token_that_cannot_be_kept_is_good_for_this_program(
    emulator: Emulator, person: AuthorizationCode, settings: Path, clock: FakeClock
) -> None:
    await person.sign_in(Browser())
    record = FileStore(settings).load(emulator.base_url)
    assert record is not None
    clock.now += 3600
    full = _Full(FileStore(settings))
    other = AuthorizationCode.of(record, store=full, retry=RetryPolicy(clock=clock, now=clock))
    with pytest.raises(ConfigurationError, match="the disk is full"):
        await other.get_token()
    assert await other.get_token()
    assert full.saved == 1
