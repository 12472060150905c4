from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itwin_async.emulator import Emulator
from itwin_async.emulator.platform.links import LinkStyle
from itwin_async.emulator.requests import Request
from itwin_async.emulator.world.ids import guid_of


def ask(emulator: Emulator, target: str) -> Any:
    request = Request(
        method="GET",
        target=target,
        headers={"Authorization": f"Bearer {emulator.token}"},
        origin="http://x",
    )
    response = emulator._engine.work(emulator._engine.begin(request))
    assert response.status == 200, response.body
    return msgspec.json.decode(response.body)


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["add", "front", "remove"]), st.integers(0, 99)), max_size=4
        ),
        max_size=12,
    ),
    st.integers(1, 6),
    st.booleans(),
)
def test_rows_that_stay_come_once_in_token_mode(
    rounds: list[list[tuple[str, int]]], top: int, hostile: bool
) -> None:
    emulator = Emulator(itwins=1, imodels=12, hostile_tokens=hostile)
    itwin_id = next(iter(emulator.state.itwins))
    staying = {record.id for record in emulator.state.imodels_of(itwin_id)}
    target = f"/imodels/favorites?iTwinId={itwin_id}&$top={top}&$continuationToken="
    got: list[str] = []
    changes = iter(rounds)
    while target:
        page = ask(emulator, target)
        got += [row["id"] for row in page["iModels"]]
        link = page["_links"]["next"]
        target = link["href"].removeprefix("http://x") if link else ""
        for kind, number in next(changes, []):
            if kind == "remove":
                ids = [record.id for record in emulator.state.imodels_of(itwin_id)]
                if ids:
                    emulator.remove_imodel(ids[number % len(ids)])
                    staying.discard(ids[number % len(ids)])
            else:
                record = emulator.add_imodel(itwin_id, front=kind == "front")
                emulator.favorite("demo", record)
    assert len(set(got)) == len(got)
    assert staying <= set(got)


@given(st.text(), st.booleans())
def test_nonsense_is_no_token(text: str, hostile: bool) -> None:
    style = LinkStyle(hostile_tokens=hostile)
    item_id = style.read_token(text)
    assert item_id is None or style.write_token(item_id)


@pytest.mark.parametrize("hostile", [False, True])
def test_tokens_keep_their_id(hostile: bool) -> None:
    style = LinkStyle(hostile_tokens=hostile)
    assert style.read_token(unquote(style.write_token(guid_of("x")))) == guid_of("x")


def test_recents_by_token() -> None:
    emulator = Emulator(itwins=1, imodels=9)
    itwin_id = next(iter(emulator.state.itwins))
    for record in list(emulator.state.imodels_of(itwin_id))[::2]:
        emulator.recent("demo", record)
    whole = emulator.state.recents["demo"].imodels
    target = f"/imodels/recents?iTwinId={itwin_id}&$top=2&$continuationToken="
    got: list[str] = []
    while target:
        page = ask(emulator, target)
        got += [row["id"] for row in page["iModels"]]
        link = page["_links"]["next"]
        target = link["href"].removeprefix("http://x") if link else ""
    assert got == whole
