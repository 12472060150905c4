from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from doubles import Answer, CannedServer, FakeClock, Seen, refusal, settle, skip_time, until

from itwin_async import (
    AuthenticationError,
    ConfigurationError,
    RetryPolicy,
    Session,
    Timeout,
    TransportError,
)

Source = Callable[[], object]


class Provider:
    """Hands out token-1, token-2, ...; a new one only after the current one was refused."""

    def __init__(self) -> None:
        self.asked = 0
        self.number = 1
        self.refused: list[str] = []

    async def get_token(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        return f"token-{self.number}"

    def invalidate(self, token: str) -> None:
        self.refused.append(token)
        if token == f"token-{self.number}":
            self.number += 1


@pytest.mark.parametrize(
    "text", ["abc.def-_~+/=", "Bearer abc.def-_~+/=", "bearer  abc.def-_~+/=", " abc.def-_~+/= "]
)
@pytest.mark.parametrize("form", ["text", "callable", "provider"])
async def test_every_form_sends_one_prefix(canned: CannedServer, text: str, form: str) -> None:
    class Fixed:
        async def get_token(self) -> str:
            return text

        def invalidate(self, token: str) -> None:
            raise AssertionError(token)

    source = {"text": text, "callable": Fixed().get_token, "provider": Fixed()}[form]
    async with Session(source, base_url=canned.base_url) as session:  # type: ignore[arg-type]
        await session.request("GET", "/x")
    assert canned.seen[0].headers.getall("Authorization") == ["Bearer abc.def-_~+/="]


@pytest.mark.parametrize("text", ["", " ", "Bearer", "Bearer ", "a b", "a\nb", "a\r\nX: y", "ä"])
def test_a_text_that_is_no_token_is_refused_at_once(text: str) -> None:
    with pytest.raises(ConfigurationError, match="the token"):
        Session(text)


@pytest.mark.parametrize("value", [None, 5, b"abc", ["abc"]])
def test_a_thing_that_is_no_token_source_is_refused_at_once(value: object) -> None:
    with pytest.raises(ConfigurationError, match="token must be a str, an async callable"):
        Session(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "a\nb", None, 5, b"abc"])
async def test_a_provider_that_gives_no_token(canned: CannedServer, value: object) -> None:
    async def source() -> object:
        return value

    async with Session(source, base_url=canned.base_url) as session:  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="the token"):
            await session.request("GET", "/x")
    assert canned.seen == []


async def test_a_callable_that_is_not_async_is_named_as_the_fault(canned: CannedServer) -> None:
    async with Session(lambda: "abc", base_url=canned.base_url) as session:  # type: ignore[arg-type, return-value]
        with pytest.raises(ConfigurationError, match="async"):
            await session.request("GET", "/x")
    assert canned.seen == []


async def test_a_provider_that_raises(canned: CannedServer) -> None:
    async def source() -> str:
        raise OSError("the vault is closed")

    async with Session(source, base_url=canned.base_url) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    error = caught.value
    assert isinstance(error.__cause__, OSError)
    assert not error.sent
    assert (error.method, error.path) == ("GET", "/x")
    assert error.request_id
    assert error.request_id in str(error)
    assert canned.seen == []


async def test_a_provider_that_hangs_is_bounded_by_the_deadline(canned: CannedServer) -> None:
    async def source() -> str:
        await asyncio.sleep(100)
        return "never"

    async with Session(source, base_url=canned.base_url, timeout=0.02) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    assert caught.value.timeout
    assert not caught.value.sent


async def test_the_source_is_asked_for_every_request(canned: CannedServer) -> None:
    tokens = iter(["one", "two", "three"])

    async def source() -> str:
        return next(tokens)

    async with Session(source, base_url=canned.base_url) as session:
        for _ in range(3):
            await session.request("GET", "/x")
    assert [seen.token for seen in canned.seen] == ["one", "two", "three"]


async def test_the_source_is_asked_again_for_a_retry(
    canned: CannedServer, clock: FakeClock
) -> None:
    tokens = iter(["one", "two"])

    async def source() -> str:
        return next(tokens)

    canned.script(503, {})
    policy = RetryPolicy(clock=clock, sleep=clock.sleep)
    async with Session(source, base_url=canned.base_url, retry=policy) as session:
        await session.request("GET", "/x")
    assert [seen.token for seen in canned.seen] == ["one", "two"]


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
async def test_a_refused_token_is_renewed_once_for_any_method(
    canned: CannedServer, method: str
) -> None:
    provider = Provider()
    canned.script(refusal(401), {})
    async with Session(provider, base_url=canned.base_url) as session:
        await session.request(method, "/x")
    assert [seen.token for seen in canned.seen] == ["token-1", "token-2"]
    assert provider.refused == ["token-1"]


async def test_a_renewed_token_that_is_refused_too_is_the_end(canned: CannedServer) -> None:
    provider = Provider()
    canned.script(refusal(401, "HeaderNotFound"))
    async with Session(provider, base_url=canned.base_url) as session:
        with pytest.raises(AuthenticationError) as caught:
            await session.request("GET", "/x")
    assert caught.value.code == "HeaderNotFound"
    assert [seen.token for seen in canned.seen] == ["token-1", "token-2"]


async def test_the_same_token_is_not_sent_twice_after_a_401(canned: CannedServer) -> None:
    async def source() -> str:
        return "same"

    canned.script(refusal(401))
    for token in ("same", source):
        canned.seen.clear()
        async with Session(token, base_url=canned.base_url) as session:
            with pytest.raises(AuthenticationError):
                await session.request("GET", "/x")
        assert len(canned.seen) == 1


def expired(*good: str) -> Callable[[Seen], object]:
    async def respond(seen: Seen) -> Answer:
        return {} if seen.token in good else refusal(401)

    return respond


async def test_a_hundred_refused_requests_cause_one_renewal(canned: CannedServer) -> None:
    renewals = 0

    class Counting(Provider):
        def invalidate(self, token: str) -> None:
            nonlocal renewals
            renewals += 1
            super().invalidate(token)

    provider = Counting()
    canned.respond = expired("token-2")  # type: ignore[assignment]
    async with Session(provider, base_url=canned.base_url) as session:
        await asyncio.gather(*(session.request("GET", f"/{n}") for n in range(100)))
    assert renewals == 1
    assert provider.number == 2
    assert provider.asked == 100 + 1
    assert len(canned.seen) == 200


async def test_a_late_401_of_an_old_token_does_not_throw_away_the_new_one(
    canned: CannedServer,
) -> None:
    provider = Provider()
    slow = asyncio.Event()

    async def respond(seen: Seen) -> Answer:
        if seen.target == "/slow" and seen.token == "token-1":
            await slow.wait()
        return {} if seen.token == "token-2" else refusal(401)

    canned.respond = respond
    async with Session(provider, base_url=canned.base_url) as session:
        late = asyncio.create_task(session.request("GET", "/slow"))
        await until(lambda: canned.seen)
        await session.request("GET", "/quick")
        slow.set()
        await late
    assert provider.refused == ["token-1"]


async def test_a_renewal_that_fails_is_not_repeated_by_all_who_wait(canned: CannedServer) -> None:
    asked = 0

    class Broken(Provider):
        async def get_token(self) -> str:
            nonlocal asked
            if self.refused:
                asked += 1
                await asyncio.sleep(0.01)
                raise OSError("sign-in is down")
            return "token-1"

    provider = Broken()
    canned.script(refusal(401))
    all_here = asyncio.Barrier(20)

    async def respond(_: Seen) -> Answer:
        await all_here.wait()
        return refusal(401)

    canned.respond = respond
    async with Session(provider, base_url=canned.base_url) as session:
        results = await asyncio.gather(
            *(session.request("GET", "/x") for _ in range(20)), return_exceptions=True
        )
    assert all(isinstance(result, TransportError) for result in results)
    assert asked == 1


async def test_a_renewal_that_is_cancelled_is_taken_over(canned: CannedServer) -> None:
    class Slow(Provider):
        async def get_token(self) -> str:
            self.asked += 1
            if self.refused and self.asked == 3:
                await asyncio.sleep(100)
            return f"token-{self.number}"

    provider = Slow()
    canned.respond = expired("token-2", "token-3")  # type: ignore[assignment]
    async with Session(provider, base_url=canned.base_url) as session:
        first = asyncio.create_task(session.request("GET", "/1"))
        second = asyncio.create_task(session.request("GET", "/2"))
        await until(lambda: provider.asked == 3 and not canned.active)
        await settle()
        first.cancel()
        assert (await second).status == 200
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_users_renew_apart(canned: CannedServer) -> None:
    mine, theirs = Provider(), Provider()
    canned.script(refusal(401), {})
    async with Session(mine, base_url=canned.base_url) as session:
        await session.with_token(theirs).request("GET", "/x")
    assert (mine.refused, theirs.refused) == ([], ["token-1"])


async def test_a_session_that_renews_can_be_opened_in_another_loop(canned: CannedServer) -> None:
    provider = Provider()
    view = Session(provider, base_url=canned.base_url)

    async def use() -> None:
        async with view:
            await asyncio.gather(*(view.request("GET", "/x") for _ in range(5)))

    canned.respond = expired("token-2", "token-4")  # type: ignore[assignment]
    await asyncio.to_thread(asyncio.run, use())
    provider.number = 3
    await asyncio.to_thread(asyncio.run, use())
    assert provider.refused == ["token-1", "token-3"]


async def test_the_wait_for_a_renewal_counts_for_the_deadline(canned: CannedServer) -> None:
    class Stuck(Provider):
        async def get_token(self) -> str:
            if self.refused:
                skip_time(31)
                await asyncio.sleep(1000)
            return "token-1"

    canned.script(refusal(401))
    timeout = Timeout(total=30)
    async with Session(Stuck(), base_url=canned.base_url, timeout=timeout) as session:
        with pytest.raises(TransportError, match="token provider"):
            await session.request("GET", "/x")
