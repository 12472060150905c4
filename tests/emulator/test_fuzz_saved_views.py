"""Ids and bodies of saved views that nobody thought of, through the client and the emulator."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from itwin_async import ApiError, ArgumentError, InvalidRequestError, NotFoundError, Session
from itwin_async import saved_views as sv
from itwin_async.emulator import EmulatorThread
from itwin_async.emulator.world.ids import combined_of

FORBIDDEN = set("<>&\"'.")
VIEW: dict[str, Any] = {"origin": [0, 0, 0], "extents": [1, 1, 1]}
ESCAPES = [f"++{word}++" for word in ("and", "dot", "lst", "gtr", "sqt", "dqt")]

Run: TypeAlias = Callable[[Callable[[Session], Coroutine[Any, Any, Any]]], Any]

fuzz = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
characters = st.characters(codec="utf-8")
texts = st.text(st.sampled_from("<>&\"'.+ad") | characters, max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
KNOWN = {*VIEW, "angles", "camera", "categories", "models", "displayStyle", "viewDetails"}
members = st.dictionaries(texts.filter(lambda name: name not in KNOWN), values, max_size=5)
guids = st.uuids().map(str)


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=1, imodels=1) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def run(emulator: EmulatorThread) -> Iterator[Run]:
    """Call the emulator, with one session for all examples."""
    with asyncio.Runner() as runner:
        session = Session(emulator.token, base_url=emulator.base_url)
        runner.run(session.open())
        yield lambda call: runner.run(call(session))
        runner.run(session.close())


@pytest.fixture(scope="module")
def itwin_id(emulator: EmulatorThread) -> str:
    return next(iter(emulator.state.itwins))


def strings(value: Any) -> Iterator[str]:
    """The strings of JSON, without keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


def holds_escape(value: Any) -> bool:
    return any(escape in text for text in strings(value) for escape in ESCAPES)


@fuzz
@given(members.filter(lambda given: not holds_escape(given)))
@example({"a.b": [{"&": ["<'\">", "++dot+", "+", "."]}]})
@example({"displayStyle": {"deep": [[[[[[{"x": "."}]]]]]]}})
def test_any_view_comes_back_as_it_was(run: Run, itwin_id: str, given: dict[str, Any]) -> None:
    data = sv.SavedViewData(itwin3d_view={**VIEW, **given})

    async def call(session: Session) -> None:
        made = await sv.create_saved_view(session, itwin_id, "a", data)
        assert made.saved_view_data == data
        assert (await sv.get_saved_view(session, made.id)).saved_view_data == data
        listed = sv.list_saved_views(session, itwin_id=itwin_id).full()
        assert [view.saved_view_data for view in await listed.collect()] == [data]
        changed = await sv.update_saved_view(session, made.id, saved_view_data=data)
        assert changed.saved_view_data == data
        await sv.delete_saved_view(session, made.id)

    run(call)


@fuzz
@given(members)
@example({"a.b": "fine"})
@example({"a": ["."]})
def test_forbidden_characters_are_refused_in_any_string(
    run: Run, itwin_id: str, given: dict[str, Any]
) -> None:
    body: dict[str, Any] = {
        "iTwinId": itwin_id,
        "displayName": "a",
        "savedViewData": {"itwinSheetView": {**_sheet(), "own": given}},
    }

    async def call(session: Session) -> None:
        made = (await session.request("POST", "/savedviews", json=body)).json()
        assert made["savedView"]["savedViewData"] == body["savedViewData"]
        await sv.delete_saved_view(session, made["savedView"]["id"])

    if any(FORBIDDEN.intersection(text) for text in strings(given)):
        with pytest.raises(InvalidRequestError):
            run(call)
    else:
        run(call)


def _sheet() -> dict[str, Any]:
    return {"baseModelId": "0x1", "origin": [0, 0], "delta": [1, 1], "angle": 0}


async def answered(session: Session, path: str, body: Any) -> tuple[int, Any]:
    """Create something; the status, also of a refusal."""
    try:
        answer = await session.request("POST", f"/savedviews{path}", json=body)
    except ApiError as error:
        return error.status, None
    return answer.status, answer.json()


@fuzz
@given(values.filter(lambda body: body is not None))  # None would be no body at all
@example({"iTwinId": None})
def test_any_body_is_taken_or_refused(run: Run, itwin_id: str, given: Any) -> None:
    whole = {"iTwinId": itwin_id, "displayName": "a", "savedViewData": {"itwinSheetView": _sheet()}}
    bodies = [given, *({**whole, name: given} for name in (*whole, "tagIds", "extensions"))]

    async def call(session: Session) -> None:
        for body in bodies:
            for path in ("", "/groups", "/tags"):
                status, made = await answered(session, path, body)
                assert status in {201, 403, 404, 422}
                if status != 201:
                    continue
                ((key, entity),) = made.items()
                assert entity["displayName"] == body["displayName"]
                await session.request("DELETE", f"/savedviews{path}/{entity['id']}")
                assert key in {"savedView", "group", "tag"}

    run(call)


@fuzz
@given(st.text(characters, max_size=80), st.text(characters, min_size=1, max_size=80))
@example("-_", "..")
@example("a%2Fb", "a/b")
def test_ids_of_nothing_are_refused_or_not_found(run: Run, view_id: str, name: str) -> None:
    async def call(session: Session) -> None:
        for one in (
            sv.get_saved_view(session, view_id),
            sv.get_group(session, view_id),
            sv.get_tag(session, view_id),
            sv.get_image(session, view_id),
            sv.get_extension(session, view_id, name),
            sv.delete_saved_view(session, view_id),
        ):
            with pytest.raises((ArgumentError, NotFoundError)):
                await one

    if view_id.lower() not in {"tags", "groups"}:  # those are lists
        run(call)


@fuzz
@given(guids, guids, st.none() | guids)
def test_ids_can_be_taken_apart(entity_id: str, itwin_id: str, imodel_id: str | None) -> None:
    made = combined_of(entity_id, itwin_id, imodel_id)
    assert made.replace("-", "").replace("_", "").isalnum()
    raw = base64.urlsafe_b64decode(made + "=" * (-len(made) % 4))
    found = [str(uuid.UUID(bytes_le=raw[at : at + 16])) for at in range(1, len(raw), 16)]
    assert found == [one for one in (entity_id, itwin_id, imodel_id) if one is not None]


@fuzz
@given(st.text(characters, max_size=30), values)
@example("EmphasizeElements", {"a": ["<.>"]})
def test_data_of_extensions_comes_back(
    run: Run, emulator: EmulatorThread, itwin_id: str, name: str, value: Any
) -> None:
    view = emulator.add_saved_view(itwin_id, "a")

    async def call(session: Session) -> None:
        data = {"value": value}
        await sv.create_extension(session, view.id, name, data)
        assert (await sv.get_extension(session, view.id, name)).data == data
        whole = await sv.get_saved_view(session, view.id)
        assert [one.data for one in whole.extensions or ()] == [data]
        await sv.delete_extension(session, view.id, name)
        assert await sv.list_extensions(session, view.id).collect() == []

    addressed = (
        name not in {"", ".", ".."} and name.isprintable() and not set(name) & set(" /?#%\\")
    )
    if FORBIDDEN.isdisjoint(name) and addressed:
        run(call)
    else:
        with pytest.raises((ArgumentError, InvalidRequestError)):
            run(call)
    run(lambda session: sv.delete_saved_view(session, view.id))
    left: Any = emulator.export()["belongings"]
    assert not any(left.values())
