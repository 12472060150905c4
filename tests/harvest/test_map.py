"""A map of a harvest: each item once, on a coastline, with a legend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from itwin_async import Session, harvest
from itwin_async.emulator import Emulator


async def test_an_extent_over_the_date_line_is_one_item(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    itwin = next(iter(emulator.state.itwins))

    def item(name: str, west: float, east: float) -> dict[str, Any]:
        corners = {
            "southWest": {"latitude": 10, "longitude": west},
            "northEast": {"latitude": 20, "longitude": east},
        }
        return {"id": name, "extent": corners}

    rows = [item("a", 170, -170), item("b", 10, 20), item("c", 1e6, 1e6)]
    body = json.dumps({"iModels": rows, "_links": {}}).encode()
    emulator.fail("GET /imodels/favorites", status=200, body=body)
    target, picture = tmp_path / "out.db", tmp_path / "map.svg"
    await harvest.run(session, harvest.favorite_imodels([itwin]).full(), target)
    assert harvest.draw_map(target, picture) == 2
    drawn = picture.read_text()
    assert "2 iModels" in drawn
    assert "iTwin" not in drawn.replace("2 iModels", "")
    assert drawn.count("LineCollection") > 0
