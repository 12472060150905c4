"""Properties: whatever the token, the answer and the moment, no failing path shows a secret."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
from doubles import Exchange, RawServer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from leaks import leaks, spellings, texts_of

from itwin_async import (
    ConfigurationError,
    ITwinError,
    RetryPolicy,
    Session,
    Timeout,
    bulk,
    imodels,
    itwins,
    saved_views,
)
from itwin_async.events import Event

ITWIN = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
FAST = RetryPolicy(retries=1, rate_limit_retries=1, base=0, max_retry_after=0.001)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Frames that hold the body of an answer, and so whatever the platform put into it.
DECODING = ("codec.py", "converter.py")

# What may stand in a header; not too short, so that no text holds it by chance.
TOKENS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="<>"),
    min_size=20,
    max_size=60,
).map(lambda text: f"s3cr3t{text}")


class Watcher:
    """Collects everything that shows anywhere, and tells where a secret is in it."""

    def __init__(self, *secrets: str, frames: bool = True) -> None:
        self._forms = [form for secret in secrets for form in spellings(secret)]
        self._frames = frames
        self.records: list[logging.LogRecord] = []
        self.events: list[Event] = []
        self.complaints: list[dict[str, Any]] = []
        self.errors: list[BaseException] = []
        self.others: list[object] = []

    def found(self) -> list[str]:
        places = {
            "log": "\n".join(f"{one.getMessage()} {vars(one)}" for one in self.records),
            "events": repr(self.events),
            "the loop's complaints": repr(self.complaints),
            "others": "\n".join(f"{one!r} {one}" for one in self.others),
        }
        found = leaks(places, self._forms)
        for error in self.errors:
            texts = texts_of(error, frames=self._frames, without=DECODING)
            found += [f"{place} of {error!r}" for place in leaks(texts, self._forms)]
        return found


@contextmanager
def everything_logged(watcher: Watcher) -> Iterator[None]:
    """Hand every record of every logger to the watcher."""
    root, handler = logging.getLogger(), logging.Handler()
    handler.emit = watcher.records.append  # type: ignore[method-assign]
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def run(watcher: Watcher, work: Callable[[], Awaitable[object]]) -> None:
    """Run in a loop of its own, whose complaints count too."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: watcher.complaints.append(context))
        await work()

    with everything_logged(watcher):
        asyncio.run(main())


@attrs.frozen
class Echo:
    """An answer that quotes the request's ``Authorization``, as proxies and debug pages do."""

    status: int
    place: str

    async def __call__(self, exchange: Exchange) -> None:
        header = exchange.header("Authorization") or ""
        body, headers, missing = self.parts(header, header.removeprefix("Bearer "))
        if self.place == "no HTTP":
            await exchange.send(b"Echo " + exchange.head)
        else:
            length = len(body) + missing
            await exchange.reply(body, status=self.status, headers=headers, length=length)
        if missing or self.place == "no HTTP":
            exchange.close()

    def parts(self, header: str, token: str) -> tuple[bytes, list[str], int]:
        """Give body, headers, and how many bytes more are announced than come."""
        if self.place in HEADERS:
            return b"{}", [HEADERS[self.place].format(header=header, token=token)], 0
        if self.place in TEXTS:
            body = TEXTS[self.place].replace("{header}", header).replace("{token}", token)
            return body.encode(), [], 50 if self.place == "cut" else 0
        text = json.dumps(BODIES[self.place])
        for mark, value in (("{header}", header), ("{token}", token)):
            text = text.replace(mark, json.dumps(value)[1:-1])
        return text.encode(), [], 0


HEADERS = {
    "head": "X-Echo: {header}",
    "long head": "X-Echo: {header}" + "x" * 9000,
    "location": "Location: https://else.example/?token={token}",
    "encoding": "Content-Encoding: gzip\r\nX-Echo: {token}",
    "retry": "Retry-After: {token}",
}
TEXTS = {
    "nothing": "",
    "text": "You sent {header}",
    "page": "<html><body><p>{token}</p></body></html>",
    "cut": '{"error": "{header}',
    "broken": '{"iModels": [], "sent": "{token}", ',
    "no HTTP": "",
}
DETAIL = {"code": "{token}", "message": "{header}", "target": "{token}"}
ROW = {"id": ITWIN, "displayName": ["{token}"], "class": ["{token}"]}
EMPTY: dict[str, object] = {"iModels": [], "iTwins": [], "tags": []}
BODIES: dict[str, object] = {
    "message": {"error": {"code": "X", "message": "{header} is bad"}},
    "code": {"error": {"code": "{token}", "message": "It failed."}},
    "target": {"error": {"code": "X", "target": "{token}"}},
    "unknown": {"error": {"code": "X", "request": {"headers": ["{header}"]}}},
    "detail": {"error": {"code": "X", "details": [{**DETAIL, "innerError": DETAIL}]}},
    "bare": {"code": "X", "message": "{token}"},
    "type": {"iModels": "{token}", "iTwins": "{token}", "tags": "{token}", "tag": "{token}"},
    "member": {"iModels": [ROW], "iTwins": [ROW], "tags": [ROW], "tag": ROW},
    "foreign": {**EMPTY, "_links": {"next": {"href": "https://else.example/x?t={token}"}}},
    "user": {**EMPTY, "_links": {"next": {"href": "https://{token}@127.0.0.1/x"}}},
    "link": {**EMPTY, "_links": {"next": {"href": ["{token}"]}}},
}


LINKED = {"foreign", "user", "link"}
ECHOES = st.builds(
    Echo,
    st.sampled_from([200, 200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503]),
    st.sampled_from([*HEADERS, *TEXTS, *BODIES]),
)


async def drop(exchange: Exchange) -> None:
    exchange.close()


async def hang(_: Exchange) -> None:
    await asyncio.sleep(100)


ANSWERS = st.lists(
    st.one_of(ECHOES, ECHOES, ECHOES, st.sampled_from([drop, hang])), min_size=1, max_size=3
)


async def pages(session: Session) -> None:
    async for page in itwins.list_favorites(session, concurrency=3).pages():
        page.raw_items()


async def half_a_walk(session: Session) -> None:
    walk = aiter(imodels.list_favorites(session, ITWIN, page_size=1, prefetch=3))
    await anext(walk)
    await walk.aclose()


OPERATIONS: dict[str, Callable[[Session], Awaitable[object]]] = {
    "favorite iModels": lambda it: imodels.list_favorites(it, ITWIN).collect(),
    "whole iModels": lambda it: imodels.list_recents(it, ITWIN).full().collect(),
    "pages": pages,
    "half a walk": half_a_walk,
    "tags": lambda it: saved_views.list_tags(it, itwin_id=ITWIN).collect(),
    "get": lambda it: saved_views.get_tag(it, "x"),
    "create": lambda it: saved_views.create_tag(it, "x", itwin_id=ITWIN),
    "add": lambda it: imodels.add_favorite(it, ITWIN),
    "remove": lambda it: itwins.remove_favorite(it, ITWIN),
    "request": lambda it: it.request("PATCH", "/x", params={"a": "b"}, json={"c": "d"}),
    "bulk": lambda it: bulk.each(imodels.add_favorite, it, [ITWIN] * 3, fail_fast=True),
}


class Provider:
    """Keeps its token out of its own repr; what a frame of it holds is its own affair."""

    def __init__(self, token: str) -> None:
        self._token = [token]

    async def get_token(self) -> str:
        return self._token[0]

    def invalidate(self, token: str) -> None:
        del token


def source(form: str, keep: list[str]) -> Any:
    """Make a token source of a form; no frame of the test holds the token itself."""
    if form == "callable":

        async def give() -> str:
            return keep[0]

        return give
    return Provider(keep[0]) if form == "provider" else None


class Kept(list[str]):
    """A list that does not show what it holds."""

    def __repr__(self) -> str:
        return "Kept(...)"


def make(form: str, kept: Kept, base_url: str, watcher: Watcher) -> Session:
    """Make a session, and a view if the form is ``view``."""
    settings: dict[str, Any] = {
        "base_url": base_url,
        "retry": FAST,
        "timeout": Timeout(attempt=0.03),
        "observers": [watcher.events.append],
    }
    if form == "text":
        return Session(kept[0], **settings)
    if form == "prefixed":
        return Session(f"bearer  {kept[0]} ", **settings)
    return Session(source(form, kept) or "another", **settings)


FORMS = st.sampled_from(["text", "prefixed", "callable", "provider", "view"])


# JSON and addresses write some characters in their own ways.
ODD = 's3cr3t\\/"+%2F[of-the-user'


@MANY
@given(TOKENS, FORMS, st.sampled_from(sorted(OPERATIONS)), ANSWERS)
@example(ODD, "text", "get", [Echo(404, "message")])
@example(ODD, "callable", "get", [Echo(404, "unknown")])
@example(ODD, "provider", "create", [Echo(200, "text")])
@example(ODD, "view", "tags", [Echo(200, "user")])
@example(ODD, "prefixed", "pages", [Echo(200, "broken")])
def test_no_failing_path_shows_the_token(
    token: str, form: str, operation: str, answers: list[Any]
) -> None:
    # A walk's frames hold the links of the answer, whatever the platform wrote there.
    linked = any(getattr(answer, "place", "") in LINKED for answer in answers)
    watcher, kept = Watcher(token, frames=not linked), Kept([token])

    async def work() -> None:
        async def answer(exchange: Exchange) -> None:
            await answers[min(exchange.number, len(answers)) - 1](exchange)

        async with RawServer(answer) as server:
            async with make(form, kept, server.base_url, watcher) as session:
                view = session.with_token(kept[0]) if form == "view" else session
                call = OPERATIONS[operation](view)
                try:
                    await call
                except ITwinError as error:
                    watcher.errors.append(error)
                except StopAsyncIteration:
                    pass
                watcher.others += [session, view, view._credentials, vars(view._internals.client)]
            heads = Kept(request.header("Authorization") or "" for request in server.requests)
            assert set(heads) <= {f"Bearer {kept[0]}"}

    run(watcher, work)
    assert watcher.found() == []


@MANY
@given(TOKENS, FORMS, st.sampled_from(sorted(OPERATIONS)), st.integers(0, 60), st.booleans())
def test_no_moment_of_cancelling_shows_the_token(
    token: str,
    form: str,
    operation: str,
    steps: int,
    closing: bool,
) -> None:
    watcher, kept = Watcher(token), Kept([token])

    async def work() -> None:
        async def answer(exchange: Exchange) -> None:
            body = b'{"iModels": [], "iTwins": [], "tags": [], "_links": {"next": {"href": "/%d"}}}'
            await exchange.reply(body % exchange.number)

        async with (
            RawServer(answer) as server,
            make(form, kept, server.base_url, watcher) as session,
        ):
            view = session.with_token(kept[0]) if form == "view" else session
            task = asyncio.ensure_future(OPERATIONS[operation](view))
            for _ in range(steps):
                await asyncio.sleep(0)
            if closing:
                await session.close()
            else:
                task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            if isinstance(outcome, BaseException):
                watcher.errors.append(outcome)
            watcher.others.append(task)

    run(watcher, work)
    assert watcher.found() == []


BLANKS = st.sampled_from(["\n", "\r\n", " ", "\t", "\x00", "\x7f", "é", "\u200b", "\U0001f511"])
WRONG: dict[str, Callable[[str], object]] = {
    "bytes": str.encode,
    "list": lambda token: [token],
    "dict": lambda token: {"access_token": token},
    "pair": lambda token: (token, 3600),
}


@MANY
@given(TOKENS, BLANKS, st.integers(0, 3), st.sampled_from(["middle", *WRONG]))
def test_no_unfit_token_is_shown(token: str, blank: str, where: int, wrong: str) -> None:
    place = len(token) * (where + 1) // 5
    text = f"{token[:place]}{blank}{token[place:]}"
    value = text if wrong == "middle" else WRONG[wrong](token)
    watcher, kept = Watcher(token, text, token[place:] if where < 2 else text), Kept([value])  # type: ignore[list-item]

    class Unfit(Provider):
        def __init__(self) -> None:
            super().__init__("")

        async def get_token(self) -> str:
            return kept[0]

    async def unfit() -> str:
        return kept[0]

    async def work() -> None:
        async with Session("good", base_url="http://127.0.0.1:9") as session:
            for make in (
                lambda: Session(kept[0]),
                lambda: session.with_token(kept[0]),
                lambda: session.with_token(f"Bearer {kept[0]}"),
            ):
                if isinstance(kept[0], str):
                    with pytest.raises(ConfigurationError) as refused:
                        make()
                    watcher.errors.append(refused.value)
            for provider in (unfit, Unfit()):
                with pytest.raises(ITwinError) as caught:
                    await session.with_token(provider).request("GET", "/x")
                watcher.errors.append(caught.value)

    run(watcher, work)
    assert len(watcher.errors) == (5 if isinstance(value, str) else 2)
    assert watcher.found() == []


@MANY
@given(TOKENS, st.sampled_from(["GET", "PUT", "POST", "DELETE"]), ANSWERS, st.booleans())
def test_what_a_caller_sends_is_not_told_to_others(
    secret: str,
    method: str,
    answers: list[Any],
    twice: bool,
) -> None:
    """
    Queries may be signed, headers may be keys, bodies are private. The caller's own frames have
    them; logs, events, texts and pickles do not.
    """
    watcher = Watcher(secret, frames=False)

    async def work() -> None:
        async def answer(exchange: Exchange) -> None:
            await answers[min(exchange.number, len(answers)) - 1](exchange)

        async with RawServer(answer) as server:
            session = make("text", Kept(["token-of-the-user"]), server.base_url, watcher)
            async with session:
                for _ in range(1 + twice):
                    try:
                        response = await session.request(
                            method,
                            "/container/blob?sv=1",
                            params={"sig": secret},
                            json={"private": secret},
                            headers={"X-Key": secret},
                        )
                        watcher.others.append(response)
                    except ITwinError as error:
                        watcher.errors.append(error)
                watcher.others += [session, vars(session._internals.client)]

    run(watcher, work)
    assert watcher.found() == []


@MANY
@given(
    TOKENS, st.sampled_from(["ftp", "http", "https"]), st.sampled_from(["user", "query", "path"])
)
def test_no_unfit_address_shows_its_secret(secret: str, scheme: str, place: str) -> None:
    quoted = "".join(char if char.isalnum() else f"%{ord(char):02X}" for char in secret)
    address = {
        "user": f"{scheme}://someone:{quoted}@example.com",
        "query": f"{scheme}://example.com/?sig={quoted}",
        "path": f"{scheme}://someone:{quoted}@example.com/deep?sig={quoted}",
    }[place]
    watcher = Watcher(secret, quoted, frames=False)
    with pytest.raises(ConfigurationError) as caught:
        Session("token-of-the-user", base_url=address)
    watcher.errors.append(caught.value)
    assert watcher.found() == []


def test_the_watcher_sees() -> None:
    secret = 's3cr3t"\\x'
    watcher = Watcher(secret)

    def fail(inside: str) -> None:
        raise ValueError("x")

    async def work() -> None:
        logging.getLogger("any").debug("%r", secret)
        watcher.others.append({"a": secret})
        watcher.events.append(secret)  # type: ignore[arg-type]
        asyncio.get_running_loop().call_exception_handler({"message": secret})
        try:
            fail(secret)
        except ValueError as problem:
            try:
                raise ITwinError("y") from problem
            except ITwinError as error:
                error.cursor = secret
                watcher.errors.append(error)

    run(watcher, work)
    found = " ".join(watcher.found())
    for place in ("log", "events", "complaints", "others", "members", "inside in", "pickle"):
        assert place in found
