"""The notebook runs as it is, and so do the snippets of its chapter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT, blocks, execute, text

from itwin_async import Session
from itwin_async.emulator import Emulator, EmulatorThread

SNIPPETS = blocks("docs/notebook.md", "python")


@pytest.fixture
def platform() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=30, imodels=40, seed=5) as emulator:
        yield emulator


# What the libraries of notebooks warn of is theirs to mend.
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs(
    platform: EmulatorThread, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for needed in ("ipykernel", "folium", "pandas", "pyarrow"):
        pytest.importorskip(needed)
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", platform.token)
    monkeypatch.setenv("ITWIN_BASE_URL", platform.base_url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert {output.output_type for output in shown} == {"execute_result"}
    page, frame, places, extents, years, session = (output.data for output in shown)
    assert page["text/html"].count("<tr>") == 21
    assert "more in this page" in page["text/html"]
    assert frame["text/html"].count("<tr") == 6
    assert "folium" in places["text/html"]
    assert "folium" in extents["text/html"]
    assert re.search(r"^20\d\d ", years["text/plain"], re.MULTILINE)
    assert session["text/plain"].endswith(" closed>")
    assert platform.token not in str(notebook)


async def test_every_snippet_of_the_chapter_runs(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, session: Session
) -> None:
    for needed in ("pandas", "polars", "geopandas", "folium"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", emulator.token)
    monkeypatch.setenv("ITWIN_BASE_URL", emulator.base_url)
    names: dict[str, Any] = {}
    assert len(SNIPPETS) >= 4
    for snippet in SNIPPETS:
        await execute("docs/notebook.md", snippet, names)
    assert names["frame"].shape == names["polars_frame"].shape
    assert len(names["extents"]) > 0
    assert tmp_path.joinpath("map.html").stat().st_size > 1000


def test_the_extras_that_are_named_are_ones() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = set(re.findall(r"itwin-async\[(\w+)\]", text("docs/notebook.md")))
    assert named >= {"pandas", "polars", "arrow"}
    assert [extra for extra in named if f"\n{extra} = [" not in project] == []
