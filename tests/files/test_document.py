"""Every Python snippet of the chapter on files runs, one after another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from blob_storage import IMODEL, BlobStorage, FilePlatform
from documents import blocks, execute

from itwin_async import Session

SNIPPETS = blocks("docs/files.md", "python")


async def test_every_snippet_runs(
    session: Session,
    platform: FilePlatform,
    storage: BlobStorage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.cs").write_bytes(b"changes")
    for index in (1, 2, 3):
        platform.add(index, b"changes" * index)
    by_index = platform.one
    platform.one = lambda request, key: by_index(request, f"{1:040x}" if key == "1" else key)  # type: ignore[method-assign]
    assert len(SNIPPETS) >= 4
    names: dict[str, Any] = {"session": session, "imodel_id": IMODEL, "changeset_id": "d" * 40}
    for snippet in SNIPPETS:
        await execute("docs/files.md", snippet, names)
    assert names["report"].complete
    assert names["done"].state == "fileUploaded"
    assert storage.blobs[f"/container/{'d' * 40}"] == b"changes"
