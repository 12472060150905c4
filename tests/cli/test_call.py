"""``call`` and ``operations``: every operation, whatever it takes and answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NotRequired, Required, TypedDict, Unpack

import attrs
import pytest
from commands import COMMAND, CannedPlatform, environment, run

from itwin_async import UNSET, Content, LongRunning, Session, Unset, catalog
from itwin_async.catalog import Entry
from itwin_async.cli.operations import markdown
from itwin_async.emulator import EmulatorThread
from itwin_async.operations import Api
from itwin_async.paging import Pager, Paging

ENTRIES = list(catalog.operations())
README = Path(__file__).parents[2] / "README.md"
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"

api = Api("things", "/things", "application/json")


class Colour(Enum):
    RED = "red"


@attrs.frozen
class Size:
    width: float
    height: float | None = None


@attrs.frozen
class Progress:
    state: str | None = None


@attrs.frozen
class Thing:
    id: str
    display_name: str | None = None
    created: datetime | None = None
    count: int | None = None
    is_new: bool | None = None
    size: Size | None = None


class Further(TypedDict, total=False):
    needed: Required[str]
    other: NotRequired[int]


GET_IMAGE = api.content("get_image", "GET /{thing_id}/image", "Get Image")
GET_PERMISSIONS = api.entity(
    "get_permissions", "GET /permissions", "Get Permissions", list[str], key="permissions"
)
STATUS = api.entity("get_status", "GET /{thing_id}/status", "Status", Progress, key="status")
CLONE = api.start(
    "clone",
    "POST /{thing_id}/clone",
    "Clone Thing",
    status=STATUS,
    succeeded={"done"},
    failed={"failed"},
)
LIST = api.list("list_things", "GET /", "List Things", Thing, key="things", paging="token")
TAKE = api.nothing("take", "POST /take", "Take Everything")

taken: list[dict[str, Any]] = []


async def get_image(session: Session, thing_id: str) -> Content:
    """Get an image."""
    return await GET_IMAGE(session, thing_id=thing_id)


async def get_permissions(session: Session) -> list[str]:
    """Get the permissions."""
    return await GET_PERMISSIONS(session)


async def get_status(session: Session, thing_id: str) -> Progress:
    """Get the status."""
    return await STATUS(session, thing_id=thing_id)


async def clone(session: Session, thing_id: str) -> LongRunning[Progress]:
    """Clone a thing."""
    return await CLONE(session, thing_id=thing_id)


def list_things(session: Session, **paging: Unpack[Paging]) -> Pager[Thing]:
    """List things."""
    return LIST(session, {}, paging)


async def take(
    session: Session,
    *,
    text: str = "",
    image: bytes = b"",
    count: int | None = None,
    ratio: float = 0,
    flag: bool | Unset | None = UNSET,
    when: datetime | None = None,
    day: date | None = None,
    colour: Colour | None = None,
    sizes: Sequence[Size] = (),
    size: Size | None = None,
    names: Iterable[str] = (),
    numbers: list[int] | None = None,
    choice: Literal["a", "b"] | Iterable[Literal["a", "b"]] | None = None,
    either: int | str | None = None,
    members: Mapping[str, object] | None = None,
    anything: list[dict[str, object]] | None = None,
    description: str | Unset | None = UNSET,
    **further: Unpack[Further],
) -> None:
    """
    Take whatever there is.

    Args:
        text: a text.

    """
    taken.append({name: value for name, value in locals().items() if name != "session"})


@pytest.fixture(autouse=True)
def _things(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = [get_image, get_permissions, get_status, clone, list_things, take]
    wing = SimpleNamespace(api=api, **{each.__name__: each for each in functions})
    monkeypatch.setitem(catalog._WINGS, "things", wing)  # type: ignore[arg-type]
    taken.clear()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.operation.name)
def test_help_of_every_operation(emulator: EmulatorThread, entry: Entry) -> None:
    for name in (entry.operation.name, entry.operation.title, entry.operation.title.upper()):
        done = run(emulator, "call", name, "--help", COLUMNS="80")
        assert done.returncode == 0, done.stderr
        assert f"{entry.operation.method} {entry.operation.path}\n" in done.stdout
        assert all(f"\n    {each.name} " in done.stdout for each in entry.parameters)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.operation.name)
def test_arguments_of_every_operation(emulator: EmulatorThread, entry: Entry) -> None:
    needed = [each.name for each in entry.parameters if each.required]
    done = run(emulator, "call", entry.operation.name)
    one_of_several = entry.operation.name == "saved_views.list_saved_views"
    assert (done.returncode == 2) is (bool(needed) or one_of_several)
    assert all(f"{name}=" in done.stderr for name in needed)
    wrong = run(emulator, "call", entry.operation.name, "no_such_name=1")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert all(each.name in wrong.stderr for each in entry.parameters)


def test_a_list(emulator: EmulatorThread) -> None:
    table = run(emulator, "call", "itwins.list_favorites", "include_inactive=true")
    assert table.returncode == 0, table.stderr
    lines = table.stdout.splitlines()
    assert len(lines) == 1 + len(emulator.state.itwins)
    assert lines[0].split()[:4] == ["id", "class", "subClass", "type"]
    for form in ("--json", "--ndjson"):
        called = run(emulator, "call", "itwins.list_favorites", form)
        assert called.stdout == run(emulator, "favorites", "itwins", form).stdout
    filtered = run(emulator, "call", "itwins.list_favorites", "sub_class=Asset,Program", "--ndjson")
    found = {json.loads(line)["subClass"] for line in filtered.stdout.splitlines()}
    assert found <= {"Asset", "Program"}


def test_a_list_of_whole_entities_up_to_a_limit(emulator: EmulatorThread) -> None:
    itwin = next(iter(emulator.state.itwins))
    emulator.clear_requests()
    done = run(
        emulator,
        *("call", "imodels.list_favorites", f"itwin_id={itwin}", "--full", "--limit", "3"),
        "--ndjson",
    )
    assert [json.loads(line)["iTwinId"] for line in done.stdout.splitlines()] == [itwin] * 3
    (listed,) = emulator.calls("GET /imodels/favorites")
    assert "top=3" in listed.query
    small = run(
        emulator,
        *("call", "imodels.list_favorites", f"itwin_id={itwin}", "page_size=2", "--ndjson"),
    )
    assert len(small.stdout.splitlines()) == 7
    assert "top=2" in emulator.calls("GET /imodels/favorites")[-1].query


def test_columns_are_the_simple_members_of_the_model(platform: CannedPlatform) -> None:
    platform.answer(
        "GET /things",
        b'{"things": [{"id": "1", "created": "2026-05-01T13:30:00Z", "count": 12, "size":'
        b' {"width": 1}, "isNew": true}], "_links": {}}',
    )
    done = run(platform, "call", "things.list_things")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["id", "displayName", "created", "count", "isNew"],
        ["1", "2026-05-01", "13:30", "12", "true"],
    ]


def test_the_life_of_an_entity(emulator: EmulatorThread) -> None:
    made = run(emulator, "call", "Create Tag", "display_name=Night shift")
    tag = json.loads(made.stdout)
    assert tag["displayName"] == "Night shift"
    assert made.stdout.count("\n") > 2
    got = run(emulator, "call", "saved_views.get_tag", f"tag_id={tag['id']}", "--json")
    assert (json.loads(got.stdout), got.stdout.count("\n")) == (tag, 1)
    gone = run(emulator, "call", "saved_views.delete_tag", f"tag_id={tag['id']}")
    assert (gone.returncode, gone.stdout, gone.stderr) == (0, "", "")
    assert run(emulator, "call", "Delete Tag", f"tag_id={tag['id']}").returncode == 4


def test_a_plain_member(platform: CannedPlatform) -> None:
    platform.answer("GET /things/permissions", b'{"permissions": ["read"]}')
    done = run(platform, "call", "things.get_permissions", "--json")
    assert (done.returncode, done.stdout) == (0, '["read"]\n')


def test_bytes_into_a_file_or_stdout(platform: CannedPlatform, tmp_path: Path) -> None:
    platform.answer("GET /things/1/image", PNG)
    call = ("call", "things.get_image", "thing_id=1", "--output")
    file = tmp_path / "image.png"
    done = run(platform, *call, str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.read_bytes() == PNG
    missing = run(platform, *call, str(tmp_path / "none" / "image.png"))
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)


def test_bytes_on_stdout(platform: CannedPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.answer("GET /things/1/image", b"no\nnewline")
    call = ("call", "things.get_image", "thing_id=1")
    assert run(platform, *call).stdout == "no\nnewline"
    monkeypatch.setattr("itwin_async.cli.call.is_terminal", lambda _: True)
    refused = run(platform, *call)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert run(platform, *call, "--output", "-").stdout == "no\nnewline"


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("failed", 6)], ids=["succeeds", "fails"])
def test_a_long_running_operation(platform: CannedPlatform, state: str, code: int) -> None:
    platform.answer("POST /things/1/clone", b"", 202, Location="/things/new-id")
    started = run(platform, "call", "things.clone", "thing_id=1")
    assert (started.returncode, started.stdout) == (0, "new-id\n")
    platform.answer("GET /things/new-id/status", f'{{"status": {{"state": "{state}"}}}}'.encode())
    waited = run(platform, "call", "things.clone", "thing_id=1", "--wait")
    assert (waited.returncode, waited.stdout) == (code, "new-id\n")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("text=", ""),
        ("text=a=b, c", "a=b, c"),
        ("text=null", "null"),
        ("count=-5", -5),
        ("count=null", None),
        ("ratio=1.5", 1.5),
        ("flag=true", True),
        ("flag=false", False),
        ("flag=null", None),
        ("when=2026-05-01T13:30:00Z", datetime(2026, 5, 1, 13, 30, tzinfo=UTC)),
        ("day=2026-05-01", date(2026, 5, 1)),
        ("colour=red", Colour.RED),
        ('size={"width": 1, "height": null}', Size(1.0)),
        ('sizes=[{"width": 1}]', [Size(1.0)]),
        ("names=a,b", ["a", "b"]),
        ('names=["a,b"]', ["a,b"]),
        ("numbers=1,2", [1, 2]),
        ("numbers=null", None),
        ("choice=a", ["a"]),
        ("choice=b,a", ["b", "a"]),
        ("either=5", 5),
        ("either=five", "five"),
        ('members={"a": [1]}', {"a": [1]}),
        ('anything=[{"a": [1, null]}]', [{"a": [1, None]}]),
        ("description=", ""),
    ],
)
def test_values_by_the_hints_of_a_function(
    emulator: EmulatorThread, argument: str, value: object
) -> None:
    done = run(emulator, "call", "things.take", "needed=x", argument)
    assert (done.returncode, done.stderr) == (0, "")
    assert taken[0][argument.partition("=")[0]] == value
    assert taken[0]["further"] == {"needed": "x"}


@pytest.mark.parametrize(
    "argument",
    [
        "count=",
        "count=1.5",
        f"count={'9' * 5000}",
        "ratio=nan",
        "ratio=1e400",
        "ratio=x",
        "flag=yes",
        "flag=True",
        "when=yesterday",
        "day=tomorrow",
        "colour=green",
        "size=5",
        "size={",
        'size={"width": "1"}',
        'size={"width": 1e400}',
        "sizes={}",
        "numbers=1,,2",
        "choice=c",
        "choice=a,c",
        "choice=",
        "members=[]",
        "image=plain",
        "image=@/nowhere/file",
        "size=@/nowhere/file",
        "other=x",
        "text",
        "=x",
        "needed=again",
        "x" * 10_000,
        "x" * 10_000 + "=1",
    ],
)
def test_values_that_the_hints_do_not_allow(emulator: EmulatorThread, argument: str) -> None:
    done = run(emulator, "call", "things.take", "needed=x", argument)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert argument.partition("=")[0][:60] in done.stderr
    assert len(done.stderr) < 600
    assert not taken


def test_bytes_and_json_from_files(emulator: EmulatorThread, tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(PNG)
    (tmp_path / "size.json").write_text('{"width": 2}')
    done = run(
        emulator,
        *("call", "things.take", "needed=x", "image=@image.png", "size=@size.json"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (taken[0]["image"], taken[0]["size"]) == (PNG, Size(2.0))
    run(emulator, "call", "things.take", "needed=x", "image=@-", stdin=PNG)
    assert taken[1]["image"] == PNG


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["itwins.list_favorits"], "itwins.list_favorites"),
        (["list_tags"], "saved_views.list_tags"),
        (["get_tags"], "saved_views.get_tag"),
        (["Get My Favourite iTwins"], "Get My Favorite iTwins"),
        (["nothing of the kind"], "itwin-async operations"),
        (["saved_views.get_tag", "tagid=1"], "'tag_id'"),
        (["saved_views.get_tag", "tag_id=1", "--limit", "3"], "--limit"),
        (["saved_views.list_tags", "--full"], "--full"),
    ],
)
def test_near_misses(emulator: EmulatorThread, arguments: list[str], hint: str) -> None:
    done = run(emulator, "call", *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr


def test_the_list_of_operations(emulator: EmulatorThread) -> None:
    entries = list(catalog.operations())
    lines = run(emulator, "operations").stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [each.operation.name for each in entries]
    listed = json.loads(run(emulator, "operations", "--json").stdout)
    streamed = run(emulator, "operations", "--ndjson").stdout.splitlines()
    assert [json.loads(line) for line in streamed] == listed
    for row, entry in zip(listed, entries, strict=True):
        operation = entry.operation
        assert row.keys() == {"name", "title", "method", "path", "parameters", "result", "kind"}
        assert (row["path"], row["kind"]) == (operation.path, operation.kind)
        assert [each["name"] for each in row["parameters"]] == [
            each.name for each in entry.parameters
        ]


def test_the_table_of_the_readme(emulator: EmulatorThread) -> None:
    table = markdown(ENTRIES)
    assert table in README.read_text(encoding="utf-8")
    assert run(emulator, "operations", "--markdown").stdout.startswith(table)


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("call saved_views.get_t", ["saved_views.get_tag"]),
        ("call saved_views.update_tag d", ["display_name="]),
        ("call nonsense x", []),
        ("oper", ["operations"]),
    ],
)
def test_completion(emulator: EmulatorThread, words: str, completed: list[str]) -> None:
    line = f"itwin-async {words}"
    done = subprocess.run(
        COMMAND,
        env=environment(
            emulator,
            _ITWIN_ASYNC_COMPLETE="bash_complete",
            COMP_WORDS=line,
            COMP_CWORD=str(line.count(" ")),
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert [each.partition(",")[2] for each in done.stdout.split("\n") if each] == completed
