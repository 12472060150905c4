"""Every snippet of README and of the site runs, or says why it does not."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import keyring.backends.fail
import keyring.core
import pytest
from documents import ROOT, Snippet, pages, snippets, text
from reader import Reader
from sign_in_browser import Browser

import itwin_async
from itwin_async import Session, files, harvest
from itwin_async.emulator import EmulatorThread

pytestmark = pytest.mark.slow

RUN = {"python", "sh", "console", "http", "js", "json", "sql"}
SHOWN = {"", "text", "ini"}

# Pages whose snippets need what another test module has.
ELSEWHERE = {
    "docs/cassettes.md": "tests/testing/test_recipes.py",
    "docs/cli.md": "tests/cli/test_documentation.py",
    "docs/emulator.md": "tests/emulator/test_documentation.py",
    "docs/networks.md": "tests/test_networks.py",
    "docs/notebook.md": "tests/notebook/test_document.py",
    "docs/testing-recipes.md": "tests/testing/test_recipes.py",
    "docs/testing.md": "tests/testing/test_chapter.py",
    "docs/how-to/postgresql.md": "tests/harvest/test_postgres_docs.py",
    "docs/how-to/spark.md": "tests/engines/test_spark_local.py",
    "docs/web-backends.md": "tests/examples/test_chapter.py",
}
# Pages that start an emulator of their own; slow by that.
ALONE = {"docs/tutorial/index.md", "docs/how-to/fastapi.md", "docs/how-to/aiohttp-web.md"}


@attrs.define
class Setting:
    """What a page finds, and what must have come of it."""

    world: dict[str, Any] = attrs.Factory(dict)
    prepare: Callable[[EmulatorThread, dict[str, Any], pytest.MonkeyPatch], None] | None = None
    check: Callable[[EmulatorThread, dict[str, Any]], None] | None = None


def prepare_sign_in(
    emulator: EmulatorThread, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", keyring.backends.fail.Keyring())
    with socket.create_server(("127.0.0.1", 0)) as probe:
        redirect = f"http://127.0.0.1:{probe.getsockname()[1]}/signin-callback"
    emulator.add_client("native", redirect_uris=[redirect])
    names |= {
        "user_tokens": [emulator.token_for(name) for name in ("ann", "ben")],
        "issuer": emulator.base_url,
        "client_id": "demo-service",
        "client_secret": "demo-secret",
        "native_client_id": "native",
        "redirect_uri": redirect,
        "open_url": Browser(),
    }


def check_sign_in(emulator: EmulatorThread, names: dict[str, Any]) -> None:
    assert "where" in names
    assert emulator.request_count >= 7


def prepare_files(
    emulator: EmulatorThread, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    del monkeypatch
    emulator.work_seconds = 0
    imodel_id = names["imodel_id"]
    briefcase = emulator.add_briefcase(imodel_id)
    assert briefcase.id == "2"
    emulator.add_changeset(imodel_id, b"changes")
    Path("mine.cs").write_bytes(b"changes")
    Path("bridge.bim").write_bytes(b"a baseline")
    names |= {"changeset_id": "d" * 40, "size": len(b"a baseline")}


def check_files(_: EmulatorThread, names: dict[str, Any]) -> None:
    assert isinstance(names["report"], files.DownloadReport)
    assert names["report"].complete
    assert names["done"].state == "fileUploaded"


def prepare_saved_views(
    emulator: EmulatorThread, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    del emulator, names, monkeypatch
    Path("pier.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")


def check_saved_views(emulator: EmulatorThread, names: dict[str, Any]) -> None:
    view = names["view"]
    assert view.saved_view_data == names["data"]
    assert [tag.display_name for tag in view.tags] == ["Night shift"]
    assert names["summary"].id == names["whole"].id == view.id
    assert Path("full.png").read_bytes() == Path("pier.png").read_bytes()
    emulator.assert_called("DELETE /savedviews/{id}", times=1, status=204)
    assert emulator.violations == []


def check_harvest(_: EmulatorThread, names: dict[str, Any]) -> None:
    assert names["status"].finished
    assert harvest.status("favorites.db").items > 0
    assert '"Polygon"' in Path("extents.json").read_text(encoding="utf-8")


SETTINGS: dict[str, list[Setting]] = {
    "docs/authentication.md": [Setting({"any_token": False}, prepare_sign_in, check_sign_in)],
    "docs/files.md": [Setting({"itwins": 1, "imodels": 2}, prepare_files, check_files)],
    "docs/harvest.md": [Setting({"itwins": 4, "imodels": 6}, check=check_harvest)],
    "docs/saved-views.md": [
        Setting({"strict": True, "data_url_images": urls}, prepare_saved_views, check_saved_views)
        for urls in (False, True)
    ],
}
DEFAULT = [Setting({"seed": 0, "itwins": 4, "imodels": 6, "changesets": 3})]


def found(page: str) -> list[Snippet]:
    return [one for one in snippets(page) if one.language in RUN and not one.reason]


HERE = [page for page in pages() if page not in ELSEWHERE and found(page)]


def test_every_block_has_a_language_that_is_known() -> None:
    for page in pages():
        for snippet in snippets(page):
            known = snippet.language in RUN | SHOWN or snippet.language.startswith("{")
            assert known, f"{page}:{snippet.line}"
        fences = len(re.findall("^ *```", text(page), re.MULTILINE))
        assert fences == 2 * len(snippets(page)), f"{page}: a block is not closed, or indented"


def test_what_is_not_run_says_why() -> None:
    left_out = [one for page in pages() for one in snippets(page) if one.reason]
    assert left_out
    assert [f"{one.page}:{one.line}" for one in left_out if len(one.reason.split()) < 2] == []


@pytest.mark.parametrize("page", sorted(ELSEWHERE.keys() & set(pages())))
def test_what_is_run_elsewhere_is_run_there(page: str) -> None:
    module = ROOT / ELSEWHERE[page]
    assert page in module.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "setting"),
    [
        (page, setting)
        for page in HERE
        if page not in ALONE
        for setting in SETTINGS.get(page, DEFAULT)
    ],
)
async def test_the_snippets_of_a_page(
    page: str, setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name.startswith(("ITWIN_", "ITP_", "IMJS_")):
            monkeypatch.delenv(name)
    with EmulatorThread(**setting.world) as emulator:
        variables = {
            "ITWIN_ACCESS_TOKEN": emulator.token,
            "ITWIN_BASE_URL": emulator.base_url,
            "DLT_DATA_DIR": str(tmp_path / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        names = names_of(emulator)
        if setting.prepare:
            setting.prepare(emulator, names, monkeypatch)
        with Reader(folder, variables, names) as reader:
            # README's snippets stand each by itself, those of a chapter follow each other.
            groups = [[one] for one in found(page)] if page == "README.md" else [found(page)]
            for group in groups:
                async with Session(emulator.token, base_url=emulator.base_url) as session:
                    reader.names = names | {"session": session}
                    for snippet in group:
                        await reader.follow(snippet)
        if setting.check:
            setting.check(emulator, reader.names)


def names_of(emulator: EmulatorThread) -> dict[str, Any]:
    itwin_id = next(iter(emulator.state.itwins))
    imodels = [imodel.id for imodel in emulator.state.imodels_of(itwin_id)]
    return {
        **{name: getattr(itwin_async, name) for name in itwin_async.__all__},
        "asyncio": asyncio,
        "token": emulator.token,
        "base_url": emulator.base_url,
        "itwin_id": itwin_id,
        "imodel_id": imodels[0],
        "imodel_ids": imodels,
    }


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl")
@pytest.mark.parametrize("page", sorted(ALONE))
async def test_the_snippets_of_a_page_with_an_emulator_of_its_own(
    page: str, tmp_path: Path
) -> None:
    for module in ("fastapi", "uvicorn") if "fastapi" in page else ():
        pytest.importorskip(module)
    folder = tmp_path / "work"
    folder.mkdir()
    with Reader(folder, {}) as reader:
        for snippet in found(page):
            await reader.follow(snippet)


def test_a_shell_of_the_reader_sees_failures(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    snippet = Snippet("page", 1, "", "console", "$ echo $((1 + 1))\n3\n")
    with Reader(folder, {}) as reader:
        asyncio.run(reader.follow(attrs.evolve(snippet, text="$ echo $((1 + 1))\n2\n")))
        with pytest.raises(AssertionError):
            asyncio.run(reader.follow(snippet))
        with pytest.raises(AssertionError):
            asyncio.run(reader.follow(Snippet("page", 1, "", "sh", "false\ntrue\n")))
