from __future__ import annotations

import base64
from typing import Any

import pytest
from caller import Caller, error_of

from itwin_async import ConflictError, NotFoundError, PermissionDeniedError, Session, imodels
from itwin_async.emulator import Emulator


async def test_set_once_read_and_listed(
    client: Session, emulator: Emulator, imodel_id: str
) -> None:
    made = [emulator.add_changeset(imodel_id) for _ in range(8)]
    for changeset in (*made[4:], *made[:4]):
        data = {"number": changeset.index}
        kept = await imodels.create_extended_data(client, imodel_id, changeset.index, data)
        assert (kept.changeset_id, kept.decoded()) == (changeset.id, data)
        for name in (changeset.index, changeset.id.upper()):
            assert await imodels.get_extended_data(client, imodel_id, name) == kept
        with pytest.raises(ConflictError) as again:
            await imodels.create_extended_data(client, imodel_id, changeset.id, {})
        assert again.value.code == "ChangesetExtendedDataExists"
    listed = imodels.list_extended_data(client, imodel_id, page_size=3)
    pages = [[row.changeset_index for row in page.items] async for page in listed.pages()]
    assert pages == [[1, 2, 3], [4, 5, 6], [7, 8]]
    saved = emulator.export()
    async with (
        Emulator(itwins=0) as other,
        Session(other.token, base_url=other.base_url) as session,
    ):
        other.load(saved)
        rows = await imodels.list_extended_data(session, imodel_id).collect()
        assert [row.decoded() for row in rows] == [{"number": row.changeset_index} for row in rows]


async def test_refused(client: Session, ana: Session, emulator: Emulator, imodel_id: str) -> None:
    emulator.add_changeset(imodel_id)
    with pytest.raises(PermissionDeniedError):
        await imodels.create_extended_data(ana, imodel_id, 1, {"a": 1})
    with pytest.raises(NotFoundError) as error:
        await imodels.get_extended_data(client, imodel_id, 1)
    assert error.value.code == "ChangesetExtendedDataNotFound"
    for call in (
        imodels.get_extended_data(client, imodel_id, 2),
        imodels.create_extended_data(client, imodel_id, "a" * 40, {"a": 1}),
    ):
        with pytest.raises(NotFoundError) as error:
            await call
        assert error.value.code == "ChangesetNotFound"
    assert await imodels.list_extended_data(client, imodel_id).collect() == []


@pytest.mark.parametrize(
    "data",
    [
        "",
        "no base64!",
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(b"{").decode(),
        base64.b64encode(b'{"a": "' + b"x" * 204_800 + b'"}').decode(),
        None,
        5,
    ],
    ids=["empty", "no base64", "a list", "no JSON", "long", "null", "a number"],
)
async def test_only_json_objects(
    call: Caller, emulator: Emulator, imodel_id: str, data: Any
) -> None:
    emulator.add_changeset(imodel_id)
    path = f"/imodels/{imodel_id}/changesets/1/extendeddata"
    reply = await call("POST", path, json={"data": data})
    assert reply.status == 422
    assert error_of(reply)["details"][0]["target"] == "data"
