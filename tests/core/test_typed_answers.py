"""Answers read as a type, and as what JSON can say."""

from __future__ import annotations

from typing import Any

import pytest
from doubles import CannedServer, Reply

from itwin_async import DecodeError, Response, Session, imodels


async def answer_with(canned: CannedServer, body: bytes) -> Response:
    canned.script(Reply(body))
    async with Session("t", base_url=canned.base_url) as session:
        return await session.request("GET", "/x")


async def test_a_body_is_read_as_a_type(canned: CannedServer) -> None:
    answer = await answer_with(
        canned, b'{"iModel":{"id":"a","name":"Pier"},"iModels":[{"id":"b"}],"total":2}'
    )
    assert answer.json(imodels.IModel, key="iModel") == imodels.IModel("a", name="Pier")
    assert answer.json(list[imodels.IModelSummary], key="iModels") == [imodels.IModelSummary("b")]
    assert answer.json(int, key="total") == 2
    assert answer.json(dict[str, object]) == answer.json()
    bare = await answer_with(canned, b'{"id":"a"}')
    assert bare.json(imodels.IModelSummary) == imodels.IModelSummary("a")


@pytest.mark.parametrize(
    ("body", "cls", "key", "place"),
    [
        (b'{"iModel":{"id":5}}', imodels.IModel, "iModel", "$.iModel.id"),
        (b'{"iModel":{"name":"a"}}', imodels.IModel, "iModel", "$.iModel"),
        (b'{"id":5}', imodels.IModel, None, "$.id"),
        (b"[]", imodels.IModel, None, "$"),
        (b'{"total":"a"}', int, "total", "$.total"),
        (b'{"a":1}', int, "total", "$"),
        (b"", imodels.IModel, None, "$"),
    ],
)
async def test_what_is_no_such_type(
    canned: CannedServer, body: bytes, cls: Any, key: str | None, place: str
) -> None:
    answer = await answer_with(canned, body)
    with pytest.raises(DecodeError) as caught:
        answer.json(cls, key=key)
    error = caught.value
    assert error.json_path.startswith(place)
    assert (error.method, error.path, error.status) == ("GET", "/x", 200)
    assert error.request_id == answer.request_id
