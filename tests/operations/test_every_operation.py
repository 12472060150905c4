"""What holds for every operation that is declared, whichever it is."""

from __future__ import annotations

import inspect
import pickle
import re
import traceback
from itertools import product
from typing import Any, get_args, get_origin, get_type_hints

import attrs
import pytest
from aiohttp import web
from doubles import CannedServer, FakeClock, refusal, refused

from itwin_async import (
    ArgumentError,
    AuthenticationError,
    Content,
    DecodeError,
    ITwinError,
    LongRunning,
    NotFoundError,
    Pager,
    Repeat,
    RetryPolicy,
    ServerError,
    Session,
    catalog,
    imodels,
)
from itwin_async._json.naming import wire_name
from itwin_async.catalog import Entry
from itwin_async.operations import (
    ContentOperation,
    EntityOperation,
    ListOperation,
    NothingOperation,
    StartOperation,
)
from itwin_async.saved_views import SavedViewData

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
TOKEN = "a-token-that-nobody-may-see"
ENTRIES = list(catalog.operations())

every = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.operation.name)


# Values for arguments that are neither an id nor a text.
EXAMPLES: dict[str, Any] = {
    "after_changeset_index": 3,
    "briefcase_id": 2,
    "changeset": "5",
    "class_": "Thing",
    "extension_name": GUID,
    "file_size": 7,
    "image": b"\x89PNG\r\n\x1a\n",
    "locked_objects": [imodels.LockedObjects("shared", ["0x1"])],
    "output_format": "Csv",
    "saved_view_data": SavedViewData(itwin3d_view={}),
    "sub_class": "Asset",
}

# The same where the name is not enough to tell, and where one of several is needed.
NEEDED: dict[str, dict[str, Any]] = {
    "imodels.create_changeset": {"changeset_id": "0123456789" * 4},
    "imodels.create_extended_data": {"data": {"source": "test"}},
    "imodels.update_imodel": {"name": "a name"},
    "imodels.update_named_version": {"name": "a name"},
    "itwins.update_itwin": {"number": "1"},
    "itwins.update_repository": {"uri": "https://example.com"},
    "saved_views.list_saved_views": {"itwin_id": GUID},
    "saved_views.update_group": {"shared": True},
    "saved_views.update_saved_view": {"shared": True},
}


def arguments(entry: Entry) -> dict[str, Any]:
    """Values for the arguments that an operation needs."""
    found = {
        name: EXAMPLES.get(name, GUID if name.endswith("_id") else "a name")
        for name, parameter in inspect.signature(entry.function).parameters.items()
        if name != "session"
        and parameter.default is parameter.empty
        and parameter.kind is not parameter.VAR_KEYWORD
    }
    return found | NEEDED.get(entry.operation.name, {})


async def call(entry: Entry, session: Session, **changes: Any) -> Any:
    """Call an operation; of a list, the first page."""
    result = entry.function(session, **{**arguments(entry), **changes})
    return await result


def answer(entry: Entry) -> Any:
    operation = entry.operation
    if isinstance(operation, ListOperation):
        return {operation.key: [_example(operation.item)]}
    if isinstance(operation, EntityOperation):
        return {operation.key: _example(operation.cls)}
    if isinstance(operation, ContentOperation):
        return web.Response(body=b"\x89PNG", content_type="image/png")
    if isinstance(operation, StartOperation):
        return web.Response(status=202, headers={"Location": f"/{GUID}"})
    return 204


def _example(cls: Any) -> Any:
    """The least that a class of an answer decodes from."""
    if not attrs.has(cls):
        return {str: "a", bool: True, list[str]: ["a"]}[cls]
    needed = [field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING]
    hints = get_type_hints(cls)
    return {wire_name(name): GUID if hints[name] is str else 1 for name in needed}


def session_of(canned: CannedServer, clock: FakeClock) -> Session:
    policy = RetryPolicy(clock=clock, sleep=clock.sleep)
    return Session(TOKEN, base_url=canned.base_url, retry=policy)


def is_safe(entry: Entry) -> bool:
    operation = entry.operation
    return operation.repeat is Repeat.SAFE or operation.method not in {"POST", "PATCH"}


def test_names_and_titles_are_unique() -> None:
    assert len(ENTRIES) == 102
    for facts in ("name", "title"):
        assert len({getattr(entry.operation, facts) for entry in ENTRIES}) == len(ENTRIES)
    routes = {(entry.operation.method, entry.operation.path) for entry in ENTRIES}
    assert len(routes) == len(ENTRIES)


@every
def test_the_function_takes_what_the_path_needs(entry: Entry) -> None:
    parameters = list(inspect.signature(entry.function).parameters)
    assert parameters[0] == "session"
    assert set(entry.operation.placeholders) <= set(parameters)
    assert entry.function.__module__.startswith("itwin_async.")
    assert inspect.getdoc(entry.function)


@every
async def test_it_asks_for_what_is_declared(
    entry: Entry, canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(answer(entry))
    async with session_of(canned, clock) as session:
        result = await call(entry, session)
    (seen,) = canned.seen
    operation = entry.operation
    path = operation.path.format(**arguments(entry))
    assert (seen.method, seen.target.partition("?")[0]) == (operation.method, path)
    assert seen.headers["Accept"] == operation.accept
    if isinstance(operation, ListOperation):
        assert [type(item) for item in result.items] == [operation.item]
    elif isinstance(operation, EntityOperation):
        assert type(result) is (get_origin(operation.cls) or operation.cls)
    elif isinstance(operation, ContentOperation | StartOperation):
        assert isinstance(result, Content | LongRunning)
    else:
        assert result is None


BAD_IDS = ["", "..", "a/b", "a?b", "a b", "a%2Fb", "\n", None, 5]


@every
async def test_ids_that_cannot_be_one_are_refused(
    entry: Entry, canned: CannedServer, clock: FakeClock
) -> None:
    hints = get_type_hints(entry.function)
    async with session_of(canned, clock) as session:
        for name, bad in product(entry.operation.placeholders, BAD_IDS):
            if bad == 5 and int in get_args(hints[name]):
                continue  # it has an id or a number
            with pytest.raises(ArgumentError) as caught:
                await call(entry, session, **{name: bad})
            assert caught.value.argument == name, repr(bad)
    assert canned.seen == []


def fixed_words(entry: Entry, name: str) -> set[str]:
    """What stands in other operations' paths where this one has an id."""
    before = re.escape(entry.operation.path.partition(f"{{{name}}}")[0])
    pattern = re.compile(re.sub(r"\\{\w+\\}", r"\\{\\w+\\}", before) + r"(\w[^/]*)")
    found = [pattern.match(other.operation.path) for other in ENTRIES]
    return {match[1] for match in found if match}


@every
async def test_fixed_words_of_paths_are_no_ids(
    entry: Entry, canned: CannedServer, clock: FakeClock
) -> None:
    async with session_of(canned, clock) as session:
        for name in entry.operation.placeholders:
            for word in fixed_words(entry, name):
                for bad in (word, word.upper()):
                    with refused(name):
                        await call(entry, session, **{name: bad})
    assert canned.seen == []


def test_fixed_words_are_found() -> None:
    entries = {entry.operation.name: entry for entry in ENTRIES}
    assert "tags" in fixed_words(entries["saved_views.get_saved_view"], "saved_view_id")
    assert fixed_words(entries["imodels.get_briefcase"], "briefcase_id") == {"checkpoint"}
    assert not fixed_words(entries["saved_views.get_tag"], "tag_id")


@every
async def test_a_server_error_is_retried_where_that_is_safe(
    entry: Entry, canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(503, answer(entry))
    async with session_of(canned, clock) as session:
        if is_safe(entry):
            await call(entry, session)
        else:
            with pytest.raises(ServerError):
                await call(entry, session)
    assert len(canned.seen) == (2 if is_safe(entry) else 1)


@every
async def test_a_rate_limit_is_waited_for(
    entry: Entry, canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(refusal(429, retry_after="30"), answer(entry))
    start = clock.now
    async with session_of(canned, clock) as session:
        await call(entry, session)
    assert len(canned.seen) == 2
    assert clock.now - start >= 30


ERRORS: dict[int, type[ITwinError]] = {
    401: AuthenticationError,
    404: NotFoundError,
    500: ServerError,
}


@every
async def test_errors_say_where_and_show_no_token(
    entry: Entry, canned: CannedServer, clock: FakeClock
) -> None:
    for status, kind in ERRORS.items():
        canned.script(refusal(status))
        async with session_of(canned, clock) as session:
            with pytest.raises(kind) as caught:
                await call(entry, session)
        error = caught.value
        assert vars(error)["method"] == entry.operation.method
        assert vars(error)["request_id"]
        assert type(pickle.loads(pickle.dumps(error))) is kind
        shown = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
        assert TOKEN not in shown


@every
async def test_an_answer_that_is_not_as_documented(
    entry: Entry, canned: CannedServer, clock: FakeClock
) -> None:
    async with session_of(canned, clock) as session:
        for body in ({}, {"error": None}):
            canned.script(body)
            if isinstance(entry.operation, NothingOperation):
                await call(entry, session)
            else:
                with pytest.raises(DecodeError):
                    await call(entry, session)


@every
async def test_what_is_no_session_is_refused(entry: Entry) -> None:
    with pytest.raises(ArgumentError) as caught:
        await entry.function("a session", **arguments(entry))  # type: ignore[misc]
    assert caught.value.argument == "session"


@every
def test_lists_take_the_same_options(entry: Entry) -> None:
    if not isinstance(entry.operation, ListOperation):
        return
    session, given = Session("t"), arguments(entry)
    assert isinstance(entry.function(session, **given, cursor=None), Pager)
    with pytest.raises(TypeError):
        entry.function(session, **given, colour="red")
    if entry.operation.paging == "none":
        return
    assert isinstance(entry.function(session, **given, page_size=5, prefetch=0), Pager)
    for wrong in ({"page_size": 0}, {"page_size": 1001}, {"prefetch": -1}):
        with pytest.raises(ArgumentError) as caught:
            entry.function(session, **given, **wrong)
        assert caught.value.argument in wrong
