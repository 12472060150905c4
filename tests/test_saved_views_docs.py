"""The chapter on saved views: its snippets run one after another, in one program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from documents import blocks, execute

from itwin_async import NotFoundError, Session, saved_views
from itwin_async.emulator import Emulator

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


@pytest.mark.parametrize("data_urls", [False, True])
async def test_the_snippets_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_urls: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pier.png").write_bytes(PNG)
    async with (
        Emulator(strict=True, data_url_images=data_urls) as emulator,
        Session(emulator.token, base_url=emulator.base_url) as session,
    ):
        itwin_id = next(iter(emulator.state.itwins))
        imodel_id = emulator.state.imodels_of(itwin_id)[0].id
        names: dict[str, Any] = {"session": session, "itwin_id": itwin_id, "imodel_id": imodel_id}
        made, picture, after = blocks("docs/saved-views.md", "python")
        await execute("docs/saved-views.md", made, names)
        view = names["view"]
        assert view.saved_view_data == names["data"]
        assert [tag.display_name for tag in view.tags] == ["Night shift"]
        await execute("docs/saved-views.md", picture, names)
        assert Path("full.png").read_bytes() == PNG
        await execute("docs/saved-views.md", after, names)
        assert names["summary"].id == names["whole"].id == view.id
        with pytest.raises(NotFoundError):
            await saved_views.get_saved_view(session, view.id)
        assert emulator.violations == []
