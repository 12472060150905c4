"""The storage behind signed URLs, by plain HTTP requests."""

from __future__ import annotations

import base64
import hashlib
import io
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from caller import Caller, Reply

from itwin_async import Session, files, imodels
from itwin_async.emulator import Emulator, EmulatorClock, Fault
from itwin_async.emulator.storage.blobs import put_blob
from itwin_async.emulator.storage.signatures import LIST, READ, WRITE, sign

CONTAINER, NAME = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11", "a file.bin"
DATA = bytes(range(200))
BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    clock = EmulatorClock(1_700_000_000, frozen=True)
    async with Emulator(clock=clock, seed=5, itwins=0, strict=True) as emulator:
        yield emulator


@pytest.fixture
async def plain(emulator: Emulator, session: aiohttp.ClientSession) -> Caller:
    return Caller(session, emulator.base_url, None)


def url(emulator: Emulator, permissions: str = READ, seconds: float = 60, name: str = NAME) -> str:
    expires = emulator.clock.now() + seconds
    return sign(emulator.state.seed, CONTAINER, name, permissions, expires)


def keep(emulator: Emulator, data: bytes = DATA) -> None:
    put_blob(emulator.state, emulator.clock, CONTAINER, NAME, data)


def code(reply: Reply) -> str:
    found: str = reply.headers["x-ms-error-code"]
    assert reply.headers["Content-Type"] == "application/xml"
    assert f"<Code>{found}</Code>" in reply.text
    return found


async def test_a_file_is_read(plain: Caller, emulator: Emulator) -> None:
    keep(emulator)
    async with plain.session.get(plain.base_url + url(emulator)) as response:
        assert await response.read() == DATA
        headers = response.headers
    assert headers["Content-Length"] == "200"
    assert headers["Content-MD5"] == md5(DATA)
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["x-ms-blob-type"] == "BlockBlob"
    assert headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    head = await plain("HEAD", url(emulator))
    assert (head.status, head.text) == (200, "")
    for name in ("ETag", "Content-Length", "Content-MD5"):
        assert head.headers[name] == headers[name]
    missing = await plain("GET", url(emulator, name="b"))
    assert (missing.status, code(missing)) == (404, "BlobNotFound")
    missing = await plain("HEAD", url(emulator, name="b"))
    assert (missing.status, missing.headers["x-ms-error-code"]) == (404, "BlobNotFound")


@pytest.mark.parametrize(
    ("wanted", "found", "content_range"),
    [
        ("bytes=0-9", DATA[:10], "bytes 0-9/200"),
        ("bytes=150-", DATA[150:], "bytes 150-199/200"),
        ("bytes=190-900", DATA[190:], "bytes 190-199/200"),
        ("bytes=-5", DATA, None),
        ("bytes=1-2,5-6", DATA, None),
    ],
)
async def test_a_part_is_read(
    plain: Caller, emulator: Emulator, wanted: str, found: bytes, content_range: str | None
) -> None:
    keep(emulator)
    for header in ("Range", "x-ms-range"):
        target = plain.base_url + url(emulator)
        async with plain.session.get(target, headers={header: wanted}) as response:
            assert response.status == (200 if content_range is None else 206)
            assert await response.read() == found
            assert response.headers.get("Content-Range") == content_range


async def test_a_range_beyond_the_end(plain: Caller, emulator: Emulator) -> None:
    keep(emulator)
    reply = await plain("GET", url(emulator), headers={"Range": "bytes=200-"})
    assert (reply.status, code(reply)) == (416, "InvalidRange")
    assert reply.headers["Content-Range"] == "bytes */200"


async def test_conditions_of_readers(plain: Caller, emulator: Emulator) -> None:
    keep(emulator)
    target, now = url(emulator), "Tue, 14 Nov 2023 22:13:20 GMT"
    etag = (await plain("HEAD", target)).headers["ETag"]
    part = {"Range": "bytes=10-"}
    for headers, status in (
        ({"If-Match": etag, **part}, 206),
        ({"If-Match": '"other"', **part}, 412),
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": now}, 304),
        ({"If-Unmodified-Since": now}, 200),
        ({"If-Unmodified-Since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 412),
        ({"If-Range": etag, **part}, 206),
        ({"If-Range": now, **part}, 206),
        ({"If-Range": '"other"', **part}, 200),
    ):
        assert (await plain("GET", target, headers=headers)).status == status, headers
    keep(emulator, b"other")
    changed = await plain("GET", target, headers={"If-Match": etag})
    assert (changed.status, code(changed)) == (412, "ConditionNotMet")


async def test_signatures(plain: Caller, emulator: Emulator) -> None:
    keep(emulator)
    target = url(emulator)
    for wrong in (
        target.replace("sig=", "sig=x"),
        target.replace("sp=r", "sp=cw"),
        target.replace(CONTAINER, CONTAINER[::-1]),
        target.partition("?")[0],
        target.replace("se=2023", "se=2033"),
    ):
        reply = await plain("GET", wrong)
        assert (reply.status, code(reply)) == (403, "AuthenticationFailed")
    for method, permissions in (("PUT", READ), ("GET", WRITE)):
        reply = await plain(method, url(emulator, permissions), headers=BLOCK_BLOB)
        assert (reply.status, code(reply)) == (403, "AuthorizationPermissionMismatch")
    emulator.clock.advance(59)
    assert (await plain("GET", target)).status == 200
    emulator.clock.advance(1)
    expired = await plain("GET", target)
    assert (expired.status, code(expired)) == (403, "AuthenticationFailed")
    assert emulator.violations == []


async def test_tokens_are_refused(call: Caller, emulator: Emulator) -> None:
    keep(emulator)
    reply = await call("GET", url(emulator))
    assert (reply.status, code(reply)) == (400, "InvalidAuthenticationInfo")
    assert len(emulator.violations) == 1
    assert (await call.as_user(None)("POST", url(emulator))).status == 405


async def test_a_file_is_written(plain: Caller, emulator: Emulator) -> None:
    target = url(emulator, WRITE)
    refused = await plain("PUT", target, data=DATA)
    assert (refused.status, code(refused)) == (400, "MissingRequiredHeader")
    wrong = {**BLOCK_BLOB, "Content-MD5": md5(b"other")}
    refused = await plain("PUT", target, data=DATA, headers=wrong)
    assert (refused.status, code(refused)) == (400, "Md5Mismatch")
    assert (await plain("GET", url(emulator))).status == 404
    reply = await plain("PUT", target, data=DATA, headers=BLOCK_BLOB)
    assert (reply.status, reply.headers["Content-MD5"]) == (201, md5(DATA))
    found = await plain("GET", url(emulator))
    assert found.headers["ETag"] == reply.headers["ETag"]
    exists = {**BLOCK_BLOB, "If-None-Match": "*"}
    refused = await plain("PUT", target, data=DATA, headers=exists)
    assert (refused.status, code(refused)) == (409, "BlobAlreadyExists")
    large = bytes(3 << 20)
    assert (await plain("PUT", target, data=io.BytesIO(large), headers=BLOCK_BLOB)).status == 201
    assert (await plain("HEAD", url(emulator))).headers["Content-Length"] == str(len(large))


def block_id(number: int) -> str:
    return base64.b64encode(f"{number:06}".encode()).decode()


def block_list(*numbers: int, kind: str = "Latest") -> bytes:
    items = "".join(f"<{kind}>{block_id(number)}</{kind}>" for number in numbers)
    return f"<BlockList>{items}</BlockList>".encode()


async def put_block(plain: Caller, emulator: Emulator, number: int, data: bytes) -> Reply:
    target = f"{url(emulator, WRITE)}&comp=block&blockid={block_id(number)}"
    return await plain("PUT", target, data=data)


async def test_a_file_is_written_in_blocks(plain: Caller, emulator: Emulator) -> None:
    commit, listing = f"{url(emulator, WRITE)}&comp=blocklist", f"{url(emulator)}&comp=blocklist"
    for number, data in ((2, b"ij"), (1, b"xx"), (1, b"cdefgh"), (0, b"ab")):
        reply = await put_block(plain, emulator, number, data)
        assert (reply.status, reply.headers["Content-MD5"]) == (201, md5(data))
    assert (await plain("GET", url(emulator))).status == 404
    found = await plain("GET", f"{listing}&blocklisttype=all")
    assert found.text.count("<Block>") == 3
    refused = await plain("PUT", commit, data=block_list(0, 7))
    assert (refused.status, code(refused)) == (400, "InvalidBlockList")
    refused = await plain("PUT", commit, data=b"<BlockList>")
    assert (refused.status, code(refused)) == (400, "InvalidXmlDocument")
    stated = {"x-ms-blob-content-md5": md5(b"abcdefghij")}
    reply = await plain("PUT", commit, data=block_list(0, 1, 2), headers=stated)
    assert reply.status == 201
    found = await plain("GET", url(emulator))
    assert (found.text, found.headers["Content-MD5"]) == ("abcdefghij", md5(b"abcdefghij"))
    assert (await plain("GET", listing)).text.count("<Block>") == 3
    # Committed blocks may be used again; an uncommitted list has none of them.
    await put_block(plain, emulator, 3, b"!")
    refused = await plain("PUT", commit, data=block_list(0, kind="Uncommitted"))
    assert code(refused) == "InvalidBlockList"
    assert (await plain("PUT", commit, data=block_list(0, 3))).status == 201
    found = await plain("GET", url(emulator))
    assert (found.text, found.headers.get("Content-MD5")) == ("ab!", None)


async def test_blocks_that_are_none(plain: Caller, emulator: Emulator) -> None:
    assert (await put_block(plain, emulator, 1, b"a")).status == 201
    for given, expected in (
        ("YQ==", "InvalidBlobOrBlock"),
        ("%21", "InvalidQueryParameterValue"),
        ("", "InvalidQueryParameterValue"),
    ):
        reply = await plain("PUT", f"{url(emulator, WRITE)}&comp=block&blockid={given}", data=b"b")
        assert (reply.status, code(reply)) == (400, expected)
    reply = await plain("PUT", f"{url(emulator, WRITE)}&comp=page", data=b"b")
    assert code(reply) == "InvalidQueryParameterValue"


async def test_faults_apply(plain: Caller, emulator: Emulator) -> None:
    keep(emulator)
    match = "GET /_storage/{container}/{blob}"
    emulator.fault(Fault(match=match, status=503))
    reply = await plain("GET", url(emulator))
    assert (reply.status, code(reply)) == (503, "ServerBusy")
    emulator.fault(Fault(match=match, drop="middle"))
    with pytest.raises(aiohttp.ClientError):
        await plain("GET", url(emulator))
    assert (await plain("GET", url(emulator))).status == 200
    assert emulator.counts[match] == 2
    row = emulator.calls(match)[-1]
    assert row.query.endswith("sig=***")
    emulator.fault(Fault(status=403))
    assert code(await plain("GET", url(emulator))) == "AuthenticationFailed"


async def test_files_are_saved_and_reset(plain: Caller, emulator: Emulator) -> None:
    keep(emulator)
    await put_block(plain, emulator, 1, b"new")
    saved, taken = emulator.export(), emulator.snapshot()
    emulator.reset()
    assert (await plain("GET", url(emulator))).status == 404
    emulator.load(saved)
    assert (await plain("GET", url(emulator))).headers["Content-MD5"] == md5(DATA)
    commit = f"{url(emulator, WRITE)}&comp=blocklist"
    assert (await plain("PUT", commit, data=block_list(1))).status == 201
    emulator.restore(taken)
    assert (await plain("GET", url(emulator))).headers["Content-MD5"] == md5(DATA)


async def test_seeds_have_different_keys(plain: Caller, emulator: Emulator) -> None:
    keep(emulator)
    target = sign(6, CONTAINER, NAME, READ, emulator.clock.now() + 60)
    assert (await plain("GET", target)).status == 403


def listed(text: str) -> tuple[list[str], str]:
    page = ET.fromstring(text)
    names = [blob.findtext("Name", "") for blob in page.iter("Blob")]
    return names, page.findtext("NextMarker", "")


async def test_a_container_is_listed(plain: Caller, emulator: Emulator) -> None:
    for name in ("a/1 & 2", "a/3", "b"):
        put_blob(emulator.state, emulator.clock, CONTAINER, name, DATA)
    expires = emulator.clock.now() + 60
    signed = sign(emulator.state.seed, CONTAINER, None, READ + LIST, expires)
    here = f"{signed}&restype=container&comp=list"
    assert listed((await plain("GET", here)).text) == (["a/1 & 2", "a/3", "b"], "")
    assert listed((await plain("GET", f"{here}&prefix=a/&maxresults=1")).text) == (
        ["a/1 & 2"],
        "a/3",
    )
    assert listed((await plain("GET", f"{here}&prefix=a/&marker=a/3")).text) == (["a/3"], "")
    path, _, query = signed.partition("?")
    blob = await plain("GET", f"{path}/a/3?{query}")
    assert blob.text.encode("latin-1", "replace")[:1] == DATA[:1]
    assert emulator.counts["GET /_storage/{container}"] == 3
    for wrong, status in (
        (f"{here}&maxresults=0", 400),
        (f"{signed}&restype=container", 404),
        (sign(emulator.state.seed, CONTAINER, None, READ, expires) + here[len(signed) :], 403),
    ):
        assert (await plain("GET", wrong)).status == status


@pytest.mark.parametrize("index", [0, 2])
async def test_the_blocks_of_a_checkpoint_are_its_file(tmp_path: Path, index: int) -> None:
    async with (
        Emulator(itwins=1, imodels=1, changesets=3, named_versions=0) as emulator,
        Session(emulator.token, base_url=emulator.base_url) as session,
    ):
        (model,) = emulator.state.imodels
        if index:
            emulator.add_named_version(model, "Issued", changeset_index=index)
            emulator.clock.advance(60)
        report = await files.download_checkpoint_blocks(session, model, index, tmp_path / "blocks")
        assert report.complete, report.failures
        checkpoint = await imodels.get_changeset_checkpoint(session, model, index)
        whole = await files.download(session, checkpoint, tmp_path, imodel_id=model)
        again = await files.download_checkpoint_blocks(session, model, index, tmp_path / "blocks")
        assert (again.files, again.received) == (report.files, 0)
    blocks = sorted((tmp_path / "blocks").iterdir())
    assert len(blocks) == report.files > 2
    assert b"".join(block.read_bytes() for block in blocks) == whole.path.read_bytes()
