from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from caller import Caller, error_of
from yarl import URL

from itwin_async import (
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    Session,
    itwins,
)
from itwin_async.emulator import Emulator
from itwin_async.itwins import Export

SUMMARY = ["id", "class", "subClass", "type", "number", "displayName"]


def from_csv(data: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def from_zip(data: bytes) -> list[dict[str, Any]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = archive.namelist()
        return list(json.loads(archive.read(name)))


@pytest.fixture(autouse=True)
def frozen(emulator: Emulator) -> None:
    emulator.clock.freeze()


async def read(session: aiohttp.ClientSession, export: Export) -> bytes:
    assert export.output_url is not None
    async with session.get(URL(export.output_url, encoded=True)) as response:
        assert response.status == 200
        assert "Authorization" not in response.request_info.headers
        return await response.read()


async def finished(platform: Session, emulator: Emulator, **options: Any) -> Export:
    options.setdefault("output_format", "JsonGZip")
    export = await itwins.create_export(platform, **options)
    emulator.clock.advance(3600)  # so that the next one may be started too
    return await itwins.get_export(platform, export.id)


async def test_an_export_takes_its_time(platform: Session, emulator: Emulator) -> None:
    emulator.plan_exports(queued=5, running=20)
    export = await itwins.create_export(
        platform, "Csv", sub_class=["Project", "Asset"], filter="status+eq+'Active'"
    )
    assert (export.status, export.output_url) == ("Queued", None)
    assert export.started_date_time is None
    assert export.created_by == emulator.state.users["demo"].id
    assert export.request is not None
    assert (export.request.output_format, export.request.sub_class) == ("Csv", "Asset,Project")
    assert (export.request.filter, export.request.query_scope) == (
        "status+eq+'Active'",
        "MemberOfiTwin",
    )
    emulator.clock.advance(5)
    running = await itwins.get_export(platform, export.id)
    assert (running.status, running.output_url) == ("InProgress", None)
    emulator.clock.advance(20)
    done = await itwins.wait_for_export(platform, export.id.upper())
    assert done.status == "Completed"
    assert done.created_date_time is not None
    assert done.started_date_time is not None
    assert done.completed_date_time is not None
    assert (done.started_date_time - done.created_date_time).total_seconds() == 5
    assert (done.completed_date_time - done.started_date_time).total_seconds() == 20


@pytest.mark.parametrize(
    ("output_format", "suffix", "parse"),
    [
        ("JsonGZip", ".json.gz", lambda data: json.loads(gzip.decompress(data))),
        ("JsonZipArchive", ".zip", from_zip),
        ("CsvGZip", ".csv.gz", lambda data: from_csv(gzip.decompress(data))),
        ("Csv", ".csv", from_csv),
    ],
)
async def test_files(
    platform: Session,
    emulator: Emulator,
    session: aiohttp.ClientSession,
    output_format: str,
    suffix: str,
    parse: Callable[[bytes], list[dict[str, Any]]],
) -> None:
    export = await finished(platform, emulator, output_format=output_format)
    assert export.output_url is not None
    assert URL(export.output_url).name == export.id + suffix
    rows = parse(await read(session, export))
    active = [row for row in emulator.state.itwins.values() if row.status != "Inactive"]
    assert [row["id"] for row in rows] == [row.id for row in active]
    assert all(list(row) == SUMMARY for row in rows)
    assert [row["type"] or None for row in rows] == [row.type for row in active]


async def test_what_is_exported(
    platform: Session, emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    rows = list(emulator.state.itwins.values())
    hidden = rows[0]
    emulator.deny("demo", hidden.id)

    async def exported(**options: Any) -> list[Any]:
        export = await finished(platform, emulator, select=["number", "id"], **options)
        return list(json.loads(gzip.decompress(await read(session, export))))

    everything = await exported(include_inactive=True)
    assert list(everything[0]) == ["number", "id"]
    assert [row["id"] for row in everything] == [row.id for row in rows[1:]]
    assets = await exported(sub_class="Asset", filter=f"contains(number,'{rows[3].number}')")
    assert [row["id"] for row in assets] == [rows[3].id]
    administered = await exported(include_inactive=True, query_scope="OrganizationAdmin")
    assert [row["id"] for row in administered] == [row.id for row in rows]
    emulator.set_administrator("demo", on=False)
    with pytest.raises(PermissionDeniedError):
        await exported(query_scope="OrganizationAdmin")


async def test_the_iTwins_of_the_start_are_exported(  # noqa: N802 - the platform's word
    platform: Session, emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    export = await itwins.create_export(platform, "JsonGZip")
    late = emulator.add_itwin("Late")
    emulator.clock.advance(60)
    data = await read(session, await itwins.get_export(platform, export.id))
    assert late.id not in gzip.decompress(data).decode()


async def test_one_that_fails(platform: Session, emulator: Emulator) -> None:
    emulator.plan_exports(queued=0, running=0, fails=True)
    export = await itwins.create_export(platform, "Csv")
    assert (export.status, export.output_url) == ("Failed", None)
    assert export.completed_date_time is not None


async def test_quotas(emulator: Emulator) -> None:
    policy = RetryPolicy(rate_limit_retries=0)
    async with Session(emulator.token, base_url=emulator.base_url, retry=policy) as session:
        for _ in range(2):
            await itwins.create_export(session, "Csv")
            with pytest.raises(RateLimitError) as caught:
                await itwins.create_export(session, "Csv")
            assert caught.value.retry_after == 2
            emulator.clock.advance(2)
        await itwins.create_export(session, "Csv")
        emulator.clock.advance(10)
        with pytest.raises(RateLimitError) as caught:
            await itwins.create_export(session, "Csv")
        assert caught.value.retry_after == 3600 - 14
        emulator.clock.advance(3600 - 14)
        await itwins.create_export(session, "Csv")
        token = emulator.token_for("ana")
        async with session.with_token(token) as ana:
            await itwins.create_export(ana, "Csv")


async def test_lists(platform: Session, emulator: Emulator) -> None:
    first = await finished(platform, emulator)
    second = await finished(platform, emulator)
    async with platform.with_token(emulator.token_for("ana")) as ana:
        await itwins.create_export(ana, "Csv")
        with pytest.raises(NotFoundError):
            await itwins.get_export(ana, first.id)
    listed = await itwins.list_exports(platform).collect()
    assert [export.id for export in listed] == [second.id, first.id]
    saved = emulator.export()
    emulator.clock.advance(2 * 3600)
    assert [one.id async for one in itwins.list_exports(platform)] == [second.id]
    with pytest.raises(NotFoundError):
        await itwins.get_export(platform, first.id)
    emulator.clock.advance(-2 * 3600)
    emulator.reset()
    emulator.clock.advance(2 * 3600)
    assert await itwins.list_exports(platform).collect() == []
    del saved["itwins"], saved["favorites"], saved["recents"]
    emulator.load(saved)
    again = [one.id async for one in itwins.list_exports(platform)]
    assert again == [second.id, first.id]


async def test_what_is_refused(platform: Session, call: Caller) -> None:
    for member, value in (
        ("outputFormat", "Xml"),
        ("queryScope", "Everything"),
        ("subClass", "Castle"),
    ):
        body = {"outputFormat": "Csv", member: value}
        refused = await call("POST", "/itwins/exports", json=body)
        assert refused.status == 422
        (detail,) = error_of(refused)["details"]
        assert (detail["code"], detail["target"]) == ("InvalidValue", member)
    with pytest.raises(InvalidRequestError) as caught:
        await itwins.create_export(platform, "Csv", select="id,invalidFieldName")
    (found,) = caught.value.details
    assert (found.target, found.message) == (
        "$select",
        "The $select string contains an unknown property 'invalidFieldName'.",
    )
    text = "invalid filter syntax without proper operators"
    with pytest.raises(InvalidRequestError) as caught:
        await itwins.create_export(platform, "Csv", filter=text)
    assert f"Syntax error at position 14 in '{text}'." in str(caught.value)
    assert await itwins.list_exports(platform).collect() == []
