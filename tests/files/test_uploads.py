from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from blob_storage import IMODEL, TOKEN, BlobStorage, Fault, FilePlatform
from doubles import refused

from itwin_async import (
    ApiError,
    ConflictError,
    FileTransferError,
    NotFoundError,
    OperationFailedError,
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
    Session,
    TransportError,
    files,
    imodels,
)
from itwin_async.events import Event
from itwin_async.files import FileProgress

MB = 2**20
ID = "a" * 40
BLOB = f"/container/{ID}"
SMALL = random.Random(1).randbytes(5000)
LARGE = random.Random(2).randbytes(9 * MB + 17)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.cs"
    path.write_bytes(SMALL)
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.cs"
    path.write_bytes(LARGE)
    return path


async def push(session: Session, path: Path) -> imodels.Changeset:
    return await files.upload_changeset(session, IMODEL, ID, path, briefcase_id=2)


def routes(platform: FilePlatform) -> list[str]:
    return [asked.replace(f"/imodels/{IMODEL}", "").replace(ID, "ID") for asked in platform.asked]


def sent(storage: BlobStorage) -> list[int]:
    return [asked.size for asked in storage.asked if asked.method == "PUT"]


async def test_a_small_file_goes_in_one_request(
    session: Session, platform: FilePlatform, storage: BlobStorage, small: Path
) -> None:
    done = await push(session, small)
    assert (done.id, done.state, done.file_size) == (ID, "fileUploaded", len(SMALL))
    assert routes(platform) == ["POST /changesets", "PATCH /changesets/ID"]
    assert storage.blobs[BLOB] == SMALL
    (asked,) = storage.asked
    assert "Authorization" not in asked.headers


async def test_a_large_file_goes_in_blocks_and_tells_how_far_it_is(
    session: Session, storage: BlobStorage, large: Path
) -> None:
    seen: list[Event] = []
    with session.observe(seen.append):
        await push(session, large)
    assert storage.blobs[BLOB] == LARGE
    assert len([size for size in sent(storage) if size >= MB]) == 3
    told = [event for event in seen if isinstance(event, FileProgress)]
    assert all(event.upload and event.size == len(LARGE) for event in told)
    assert (told[-1].done, told[-1].finished) == (len(LARGE), True)
    assert "sig=" not in repr(seen)


async def test_what_fails_is_sent_again(
    session: Session, storage: BlobStorage, large: Path
) -> None:
    storage.fail(BLOB, Fault(), Fault(status=500), Fault(status=503, code="ServerBusy"))
    await push(session, large)
    assert storage.blobs[BLOB] == LARGE


async def test_an_address_that_expires_is_asked_for_once(
    session: Session, platform: FilePlatform, storage: BlobStorage, large: Path
) -> None:
    storage.fail(BLOB, Fault(), Fault(), Fault(status=403, code="AuthenticationFailed"))
    await push(session, large)
    assert storage.blobs[BLOB] == LARGE
    assert routes(platform).count("GET /changesets/ID") == 1


async def test_an_address_that_is_refused_for_good(
    session: Session, platform: FilePlatform, storage: BlobStorage, large: Path
) -> None:
    storage.fail(BLOB, *[Fault(status=403, code="AuthorizationFailure")] * 40)
    with pytest.raises(PermissionDeniedError) as caught:
        await push(session, large)
    assert "s3cr3t" not in str(caught.value)
    assert routes(platform).count("GET /changesets/ID") == 1


async def test_blocks_that_are_there_are_not_sent_again(
    platform: FilePlatform, storage: BlobStorage, large: Path
) -> None:
    storage.fail(BLOB, Fault(), Fault(), Fault(), Fault(status=500))
    once = RetryPolicy(retries=0)
    async with Session(TOKEN, base_url=platform.url, retry=once) as session:
        with pytest.raises(ServerError):
            await files.upload_changeset(session, IMODEL, ID, large, briefcase_id=2, concurrency=1)
        before = len(storage.blocks[BLOB])
        assert before == 2
        storage.faults.clear()
        storage.asked.clear()
        done = await push(session, large)
    assert done.state == "fileUploaded"
    assert storage.blobs[BLOB] == LARGE
    assert len([size for size in sent(storage) if size > 1000]) == 3 - before


async def test_an_address_that_allows_no_reading_sends_all_again(
    session: Session, platform: FilePlatform, storage: BlobStorage, large: Path
) -> None:
    storage.readable = False
    platform.changesets[ID] = {
        "id": ID,
        "index": 1,
        "state": "waitingForFile",
        "fileSize": len(LARGE),
    }
    await push(session, large)
    assert storage.blobs[BLOB] == LARGE


@pytest.mark.parametrize("upload_again", [True, False])
async def test_a_crash_before_completing_is_completed(
    session: Session,
    platform: FilePlatform,
    storage: BlobStorage,
    large: Path,
    *,
    upload_again: bool,
) -> None:
    await imodels.create_changeset(session, IMODEL, ID, briefcase_id=2, file_size=len(LARGE))
    storage.put(BLOB, LARGE)
    platform.upload_again = upload_again
    done = await push(session, large)
    assert done.state == "fileUploaded"
    assert sent(storage) == []


@pytest.mark.parametrize("there", [LARGE[:-1], LARGE[:-1] + b"x", None])
async def test_a_blob_that_is_not_the_file_is_replaced(
    session: Session,
    platform: FilePlatform,
    storage: BlobStorage,
    large: Path,
    there: bytes | None,
) -> None:
    await imodels.create_changeset(session, IMODEL, ID, briefcase_id=2, file_size=len(LARGE))
    if there is not None:
        storage.put(BLOB, there)
    await push(session, large)
    assert storage.blobs[BLOB] == LARGE


async def test_no_address_and_no_file_is_the_platforms_error(
    session: Session, platform: FilePlatform, small: Path
) -> None:
    await imodels.create_changeset(session, IMODEL, ID, briefcase_id=2, file_size=len(SMALL))
    platform.upload_again = False
    with pytest.raises(NotFoundError) as caught:
        await push(session, small)
    assert caught.value.code == "FileNotFound"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_lost_answer_of_the_platform_is_made_up_for(
    session: Session, platform: FilePlatform, storage: BlobStorage, small: Path, method: str
) -> None:
    platform.lose.add(method)
    done = await push(session, small)
    assert done.state == "fileUploaded"
    assert storage.blobs[BLOB] == SMALL
    assert routes(platform).count("POST /changesets") == 1
    assert routes(platform).count("PATCH /changesets/ID") == 1


async def test_a_push_that_is_done_is_done(
    session: Session, platform: FilePlatform, storage: BlobStorage, small: Path
) -> None:
    await push(session, small)
    again = await push(session, small)
    assert again.state == "fileUploaded"
    assert len(sent(storage)) == 1
    assert routes(platform).count("PATCH /changesets/ID") == 1


async def test_another_file_under_the_same_id_is_refused(
    session: Session, platform: FilePlatform, storage: BlobStorage, small: Path, large: Path
) -> None:
    await push(session, small)
    with pytest.raises(FileTransferError):
        await push(session, large)
    assert storage.blobs[BLOB] == SMALL


async def test_somebody_elses_push_is_a_conflict(
    session: Session, platform: FilePlatform, small: Path
) -> None:
    error = {"error": {"code": "AnotherUserPushing", "message": "wait"}}

    async def respond(request: Any, route: str, body: Any) -> Any:
        from aiohttp import web

        status = 409 if request.method == "POST" else 404
        return web.json_response(error, status=status)

    platform.respond = respond  # type: ignore[method-assign]
    with pytest.raises(ConflictError) as caught:
        await push(session, small)
    assert caught.value.code == "AnotherUserPushing"


async def test_nothing_is_asked_where_nothing_was_sent(small: Path) -> None:
    policy = RetryPolicy(retries=0)
    async with Session(TOKEN, base_url="http://127.0.0.1:9", retry=policy) as session:
        with pytest.raises(TransportError) as caught:
            await push(session, small)
    assert not caught.value.sent


async def test_googles_storage_is_refused(
    session: Session, platform: FilePlatform, storage: BlobStorage, small: Path
) -> None:
    link = imodels.StorageLink(href=storage.sign("/x"), storage_type="google")
    imodel = imodels.IModel(id=IMODEL, links=imodels.IModelLinks(upload=link))
    platform.baseline = {"id": "b", "state": "waitingForFile"}
    with pytest.raises(FileTransferError):
        await files.upload_baseline(session, imodel, small)
    assert storage.asked == []


@pytest.fixture
def imodel(platform: FilePlatform, storage: BlobStorage) -> imodels.IModel:
    platform.baseline = {"id": "b", "state": "waitingForFile", "fileSize": len(LARGE)}
    link = imodels.StorageLink(href=storage.sign("/container/baseline"), storage_type="azure")
    return imodels.IModel(id=IMODEL, links=imodels.IModelLinks(upload=link))


async def test_a_baseline_file_is_sent_and_completed(
    session: Session, storage: BlobStorage, large: Path, imodel: imodels.IModel
) -> None:
    done = await files.upload_baseline(session, imodel, large)
    assert done.state == "initializationScheduled"
    assert storage.blobs["/container/baseline"] == LARGE
    storage.asked.clear()
    again = await files.upload_baseline(session, IMODEL, large)
    assert again.state == "initializationScheduled"
    assert storage.asked == []


async def test_a_baseline_file_that_is_there_is_completed(
    session: Session,
    platform: FilePlatform,
    storage: BlobStorage,
    large: Path,
    imodel: imodels.IModel,
) -> None:
    storage.put("/container/baseline", LARGE)
    platform.answers[f"GET /imodels/{IMODEL}"] = {"iModel": {"id": IMODEL}}
    done = await files.upload_baseline(session, IMODEL, large)
    assert done.state == "initializationScheduled"
    platform.baseline = {**(platform.baseline or {}), "state": "waitingForFile"}
    done = await files.upload_baseline(session, imodel, large)
    assert done.state == "initializationScheduled"
    assert sent(storage) == []


async def test_a_baseline_file_that_could_not_be_used(
    session: Session, platform: FilePlatform, large: Path, imodel: imodels.IModel
) -> None:
    platform.baseline = {"id": "b", "state": "initializationFailed"}
    with pytest.raises(OperationFailedError) as caught:
        await files.upload_baseline(session, imodel, large)
    assert caught.value.state == "initializationFailed"


async def test_a_baseline_file_of_another_size_is_refused(
    session: Session, storage: BlobStorage, small: Path, imodel: imodels.IModel
) -> None:
    with pytest.raises(FileTransferError):
        await files.upload_baseline(session, imodel, small)
    assert storage.asked == []


async def test_a_file_that_shrinks_meanwhile_is_not_committed(
    session: Session, storage: BlobStorage, large: Path, imodel: imodels.IModel
) -> None:
    def shrink(event: Event) -> None:
        if isinstance(event, FileProgress):
            large.write_bytes(LARGE[: 6 * MB])

    with session.observe(shrink), pytest.raises(FileTransferError):
        await files.upload_baseline(session, imodel, large, concurrency=1)
    assert "/container/baseline" not in storage.blobs


async def test_bad_arguments_are_refused_before_any_request(
    session: Session, platform: FilePlatform, tmp_path: Path, small: Path
) -> None:
    (tmp_path / "empty").touch()
    for path in (tmp_path / "missing", tmp_path / "empty", tmp_path):
        with refused("path"):
            await push(session, path)
    with refused("path"):
        await push(session, 5)  # type: ignore[arg-type]
    with refused("changeset_id"):
        await files.upload_changeset(session, IMODEL, "x", small, briefcase_id=2)
    with refused("concurrency"):
        await files.upload_baseline(session, IMODEL, small, concurrency=0)
    with refused("imodel"):
        await files.upload_baseline(session, imodels.IModelSummary(id="x"), small)  # type: ignore[arg-type]
    assert platform.asked == []


async def test_a_block_that_arrives_damaged_is_refused_by_the_storage(
    session: Session, storage: BlobStorage, small: Path
) -> None:
    storage.fail(BLOB, Fault(status=400, code="Md5Mismatch"))
    with pytest.raises(ApiError) as caught:
        await push(session, small)
    assert caught.value.code == "Md5Mismatch"
