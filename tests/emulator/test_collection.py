from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import pytest

from itwin_async.emulator import EmulatorClock, World
from itwin_async.emulator.platform import api
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.imodels import IMODELS
from itwin_async.emulator.platform.links import LinkStyle
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.platform.routes import Router
from itwin_async.emulator.platform.schemas import NAME, SCHEMAS, TEXT, define, each, objects
from itwin_async.emulator.requests import Query, Request
from itwin_async.emulator.responses import Response

WORLD = World(0, 1, 1)
IMODEL_ID = next(iter(WORLD.imodels))


@attrs.frozen
class Note:
    id: str
    display_name: str
    imodel_id: str


@pytest.fixture
def router() -> Iterator[Router]:
    """The operations of a collection whose entities belong to an iModel."""
    before = dict(SCHEMAS)
    yield notes_router()
    SCHEMAS.clear()
    SCHEMAS.update(before)


def notes_router() -> Router:
    notes: dict[str, Note] = {}

    def create(call: Call, content: Any) -> Note:
        return Note(f"n{len(notes)}", content["displayName"], call.params["id"])

    collection = Collection[Note](
        api=api.IMODELS,
        name="Note",
        key="note",
        keys="notes",
        schema=define("Note", objects(each(TEXT, "id displayName iModelId"))),
        show=lambda note, origin: {
            "id": note.id,
            "displayName": note.display_name,
            "iModelId": f"{origin}/{note.imodel_id}",
        },
        summary_schema=define("NoteSummary", objects(each(TEXT, "id"))),
        summarize=lambda note: {"id": note.id},
        find=lambda _, note_id: notes.get(note_id),
        put=lambda _, note: notes.update({note.id: note}),
        drop=lambda _, note: notes.pop(note.id),
        parent=IMODELS,
        id_name="noteId",
        unique="displayName",
        taken=lambda _, note: any(
            other.display_name == note.display_name and other.id != note.id
            for other in notes.values()
        ),
        paging=Paging(),
        list_failure="Cannot get notes.",
    )
    body = objects({"displayName": NAME}, "displayName")
    path = "/imodels/{id}/notes"
    routes = (
        collection.list(f"GET {path}", "Get Notes", lambda _: list(notes.values())),
        collection.create(f"POST {path}", "Create Note", create, body=body),
        collection.get(f"GET {path}/{{noteId}}", "Get Note"),
        collection.update(f"PATCH {path}/{{noteId}}", "Update Note", body=body),
        collection.delete(f"DELETE {path}/{{noteId}}", "Delete Note"),
    )
    return Router(routes)


def ask(router: Router, method: str, target: str, content: object = None, **headers: str) -> Any:
    request = Request(
        method=method,
        target=f"/imodels/{target}",
        headers=headers,
        body=msgspec.json.encode(content),
        origin="http://x",
    )
    found = router.find(method, request.path)
    assert not isinstance(found, Response), found
    call = Call(
        request=request,
        params=found[1],
        query=Query(request.query),
        user=WORLD.users["demo"],
        world=WORLD,
        style=LinkStyle(),
        clock=EmulatorClock(),
    )
    response = found[0].respond(call)
    return response.status, msgspec.json.decode(response.body or b"null")


def test_children_of_an_imodel(router: Router) -> None:
    path = f"{IMODEL_ID}/notes"
    for name in ("a", "b", "c"):
        status, made = ask(router, "POST", path, {"displayName": name})
        assert (status, made["note"]["displayName"]) == (201, name)
    status, error = ask(router, "POST", path, {"displayName": "a"})
    assert (status, error["error"]["code"]) == (409, "NoteExists")
    _, listed = ask(router, "GET", f"{path}?$top=2&$skip=1")
    assert listed["notes"] == [{"id": "n1"}, {"id": "n2"}]
    assert listed["_links"]["prev"] == {"href": f"http://x/imodels/{path}?$skip=0&$top=2"}
    _, listed = ask(router, "GET", path, Prefer="return=representation")
    assert listed["notes"][0]["iModelId"] == f"http://x/{IMODEL_ID}"
    _, changed = ask(router, "PATCH", f"{path}/n1", {"displayName": "d"})
    assert ask(router, "GET", f"{path}/n1") == (200, changed)
    assert ask(router, "DELETE", f"{path}/n1") == (204, None)
    assert ask(router, "GET", f"{path}/n1")[1]["error"]["code"] == "NoteNotFound"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "{unknown}/notes", 404, "iModelNotFound"),
        ("POST", "{unknown}/notes", 404, "iModelNotFound"),
        ("DELETE", "{unknown}/notes/n1", 404, "iModelNotFound"),
        ("PATCH", "{known}/notes/n9", 404, "NoteNotFound"),
        ("POST", "{known}/notes", 422, "InvalidiModelsRequest"),
        ("GET", "{known}/notes?$top=0", 422, "InvalidiModelsRequest"),
    ],
)
def test_errors_of_children(router: Router, method: str, path: str, status: int, code: str) -> None:
    answer = ask(router, method, path.format(known=IMODEL_ID, unknown="x"), {})
    assert (answer[0], answer[1]["error"]["code"]) == (status, code)
