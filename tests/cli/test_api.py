"""``itwin-async api``: any path of the platform."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import CannedPlatform, rows, run

from itwin_async.emulator import EmulatorThread, Fault


def test_an_answer_as_it_came(emulator: EmulatorThread) -> None:
    itwin = next(iter(emulator.state.itwins.values()))
    for path in (
        f"/itwins/{itwin.id}",
        f"itwins/{itwin.id}",
        f"{emulator.base_url}/itwins/{itwin.id}",
    ):
        done = run(emulator, "api", path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["iTwin"]["displayName"] == itwin.display_name
    name = run(emulator, "api", "get", f"/itwins/{itwin.id}", "--jq", ".iTwin.displayName")
    assert name.stdout == f"{itwin.display_name}\n"


def test_status_and_headers(emulator: EmulatorThread) -> None:
    done = run(emulator, "api", "/itwins/favorites", "--include")
    head, _, body = done.stdout.partition("\n\n")
    assert head.splitlines()[0] == "HTTP 200"
    assert "Content-Type: application/json" in head
    assert json.loads(body)["iTwins"]
    assert emulator.token not in done.stdout


def test_fields_make_a_body(emulator: EmulatorThread) -> None:
    itwin = next(iter(emulator.state.itwins))
    fields = ["-f", "displayName=true", "-F", f"iTwinId={itwin}"]
    done = run(emulator, "api", "/savedviews/tags", *fields, "--jq", ".tag.id")
    assert done.returncode == 0, done.stderr
    (call,) = emulator.calls("POST /savedviews/tags")
    assert json.loads(call.body) == {"displayName": "true", "iTwinId": itwin}
    tag = done.stdout.strip()
    assert (
        run(emulator, "api", "PATCH", f"/savedviews/tags/{tag}", "-f", "displayName=b").returncode
        == 0
    )
    gone = run(emulator, "api", "DELETE", f"/savedviews/tags/{tag}")
    assert (gone.returncode, gone.stdout) == (0, "")
    assert run(emulator, "api", f"/savedviews/tags/{tag}").returncode == 4


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (["a=1", "b=-0.5e3", "c=01"], '{"a":1,"b":-0.5e3,"c":"01"}'),
        (["a=true", "b=null", "c=", "d=a=b"], '{"a":true,"b":null,"c":"","d":"a=b"}'),
        (["a[b][c]=1", "a[b][d]=x"], '{"a":{"b":{"c":1,"d":"x"}}}'),
        (["a[]=1", "a[]=2"], '{"a":[1,2]}'),
        (["a[][b]=1", "a[][c]=2", "a[][b]=3"], '{"a":[{"b":1,"c":2},{"b":3}]}'),
        (["a=12345678901234567890123"], '{"a":12345678901234567890123}'),
    ],
)
def test_values_of_fields(fields: list[str], body: str) -> None:
    from itwin_async.cli.api_fields import body_of

    assert body_of((field, False) for field in fields).decode() == body


def test_files_and_standard_input(emulator: EmulatorThread, tmp_path: Path) -> None:
    itwin = next(iter(emulator.state.itwins))
    body = json.dumps({"displayName": "Night", "iTwinId": itwin})
    done = run(emulator, "api", "POST", "/savedviews/tags", "--input", "-", stdin=body)
    assert done.returncode == 0, done.stderr
    (tmp_path / "name").write_text("Day", encoding="utf-8")
    fields = ["-F", f"displayName=@{tmp_path / 'name'}", "-f", f"iTwinId={itwin}"]
    found = run(emulator, "api", "POST", "/savedviews/tags", *fields, "--jq", ".tag.displayName")
    assert found.stdout == "Day\n"


def test_fields_of_a_get_are_its_query(emulator: EmulatorThread) -> None:
    itwin = next(iter(emulator.state.itwins))
    fields = ["-f", f"iTwinId={itwin}", "-F", "$top=2"]
    done = run(emulator, "api", "GET", "/imodels/favorites", *fields, "--jq", ".iModels | length")
    assert done.stdout == "2\n"


@pytest.mark.parametrize("path", ["/itwins", "/itwins?$top=3", "/itwins/favorites?$top=1"])
def test_all_pages(emulator: EmulatorThread, path: str) -> None:
    of_all = run(emulator, "api", path.partition("?")[0], "--paginate", "--jq", ".id").stdout
    assert rows(emulator, "api", path, "--paginate") == rows(
        emulator, "api", path.partition("?")[0], "--paginate"
    )
    assert set(of_all.split()) <= set(emulator.state.itwins)


def test_lists_that_go_on_by_token_are_asked_for_one(emulator: EmulatorThread) -> None:
    itwin = next(iter(emulator.state.itwins))
    path = f"/imodels/favorites?iTwinId={itwin}&$top=2"
    assert len(rows(emulator, "api", path, "--paginate")) == 7
    asked = emulator.calls("GET /imodels/favorites")
    assert all("continuationToken" in call.query for call in asked)
    assert len(asked) == 4


def test_no_page_more_than_a_limit_needs(emulator: EmulatorThread) -> None:
    assert len(rows(emulator, "api", "/itwins", "--paginate", "--limit", "2")) == 2
    (call,) = emulator.calls("GET /itwins")
    assert "top=2" in call.query


def test_headers_go_with_every_page(emulator: EmulatorThread) -> None:
    itwin = next(iter(emulator.state.itwins))
    path = f"/imodels?iTwinId={itwin}&$top=3"
    prefer = ["-H", "Prefer: return=representation"]
    found = rows(emulator, "api", path, "--paginate", *prefer)
    assert len(found) == 7
    assert all("createdDateTime" in row for row in found)
    accepts = {call.headers["Accept"] for call in emulator.calls("GET /imodels")}
    assert accepts == {"application/vnd.bentley.itwin-platform.v2+json"}


def test_the_member_with_the_items(platform: CannedPlatform) -> None:
    platform.answer("GET /things", b'{"things":[{"id":"1"},{"id":"2"}],"count":2,"_links":{}}')
    assert [row["id"] for row in rows(platform, "api", "/things", "--paginate")] == ["1", "2"]
    platform.answer("GET /two", b'{"a":[{"id":"1"}],"b":[{"id":"2"}]}')
    done = run(platform, "api", "/two", "--paginate")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--key" in done.stderr
    assert [row["id"] for row in rows(platform, "api", "/two", "--paginate", "--key", "b")] == ["2"]
    platform.answer("GET /none", b'{"a":1}')
    assert run(platform, "api", "/none", "--paginate").returncode == 6
    platform.answer("GET /list", b"[1]")
    assert run(platform, "api", "/list", "--paginate").returncode == 6


@pytest.mark.parametrize("form", [[], ["--csv"], ["--ndjson"], ["--jq", ".id"]], ids=str)
def test_a_list_without_items(platform: CannedPlatform, form: list[str]) -> None:
    platform.answer("GET /things", b'{"things":[]}')
    done = run(platform, "api", "/things", "--paginate", *form)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_loop_and_a_foreign_link_end_it(platform: CannedPlatform) -> None:
    for href in (f"{platform.base_url}/things", "https://elsewhere.example/things"):
        body = {"things": [{"id": "1"}], "_links": {"next": {"href": href}}}
        platform.answer("GET /things", json.dumps(body).encode())
        done = run(platform, "api", "/things", "--paginate", "--ndjson")
        assert done.returncode == 6
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["https://elsewhere.example/itwins"], 2),
        (["GET", "/itwins", "/imodels"], 2),
        (["/itwins", "--limit", "2"], 2),
        (["/itwins", "--key", "iTwins"], 2),
        (["POST", "/savedviews/tags", "-f", "a"], 2),
        (["POST", "/savedviews/tags", "-f", "a=1", "-f", "a=2"], 2),
        (["POST", "/savedviews/tags", "-f", "a=1", "-f", "a[b]=2"], 2),
        (["POST", "/itwins", "-f", "a=1", "--paginate"], 2),
        (["/itwins", "--include", "--paginate"], 2),
        (["/itwins", "-H", "nothing"], 2),
        (["/itwins", "-H", "Authorization: Bearer x"], 2),
        (["/itwins", "--input", "/nowhere/body"], 2),
        (["/imodels/{imodel}"], 2),
        (["/itwins#a"], 2),
        (["/nothing/here"], 4),
        (["POST", "/savedviews/tags", "-f", "displayName=a.b"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line(emulator: EmulatorThread, arguments: list[str], code: int) -> None:
    done = run(emulator, "api", *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("itwin-async: ")
    assert done.stderr.count("\n") == 1


def test_a_rate_limit_is_waited_for(emulator: EmulatorThread) -> None:
    emulator.fault(Fault(match="GET /itwins", status=429, retry_after=0, times=1))
    assert rows(emulator, "api", "/itwins", "--paginate")
    assert len(emulator.calls("GET /itwins")) >= 2


def test_bytes_go_to_a_file_or_a_pipe(platform: CannedPlatform, tmp_path: Path) -> None:
    picture = b"\x89PNG\r\n\x1a\n\x00"
    platform.answers["GET /picture"] = (200, {"Content-Type": "image/png"}, picture)
    done = run(platform, "api", "/picture", "--output", str(tmp_path / "a.png"))
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "a.png").read_bytes() == picture
