from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from blob_storage import IMODEL, ITWIN, TOKEN, BlobStorage, Fault, FilePlatform
from doubles import refused, until

from itwin_async import (
    ConflictError,
    FileTransferError,
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
    Session,
    Timeout,
    TransportError,
    files,
    from_dict,
    imodels,
    itwins,
    saved_views,
)
from itwin_async.events import AttemptFinished, Event
from itwin_async.files import FileProgress

MB = 2**20
rng = random.Random(7)
LARGE = rng.randbytes(3 * MB + 1234)
SMALL = rng.randbytes(5000)
PNG = b"\x89PNG\r\n\x1a\n" + rng.randbytes(100)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def changeset(session: Session, index: int = 1) -> imodels.Changeset:
    return await imodels.get_changeset(session, IMODEL, f"{index:040x}")


@pytest.mark.parametrize("data", [SMALL, LARGE, b"x"])
async def test_a_changeset_comes_whole_and_is_kept(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path, data: bytes
) -> None:
    platform.add(1, data)
    found = await changeset(session)
    folder = tmp_path / "new" / "folder"
    file = await files.download(session, found, folder)
    assert file == files.LocalFile(folder / f"{found.id}.cs", len(data), len(data), kept=False)
    assert file.path.read_bytes() == data
    again = await files.download(session, found, str(folder) + os.sep)
    assert again == files.LocalFile(file.path, len(data), 0, kept=True)
    assert len(storage.asked) == 1
    assert names(folder) == [file.path.name]


async def test_the_storage_gets_no_token(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    platform.add(1, SMALL)
    await files.download(session, await changeset(session), tmp_path)
    (asked,) = storage.asked
    assert "Authorization" not in asked.headers
    assert TOKEN not in repr(dict(asked.headers))
    assert asked.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("stops", [[1], [MB], [70_000, 70_000 + MB, 3 * MB], [0, 5, 5, 9]])
async def test_what_breaks_off_is_continued_by_range(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path, stops: list[int]
) -> None:
    path = platform.add(1, LARGE)
    storage.fail(path, *(Fault(stop_at=stop) for stop in stops))
    file = await files.download(session, await changeset(session), tmp_path)
    assert file.path.read_bytes() == LARGE
    assert file.received == len(LARGE)
    assert storage.asked[-1].range == f"bytes={stops[-1]}-"
    assert "If-Match" in storage.asked[-1].headers
    assert names(tmp_path) == [file.path.name]


async def test_many_breaks_are_no_failure_where_each_attempt_gets_further(
    platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, LARGE)
    storage.fail(path, *(Fault(stop_at=n * 100_000) for n in range(1, 30)))
    policy = RetryPolicy(retries=1, base=0)
    async with Session(TOKEN, base_url=platform.url, retry=policy) as session:
        file = await files.download(session, await changeset(session), tmp_path)
    assert file.path.read_bytes() == LARGE
    assert storage.sent[path] == len(LARGE)


async def test_attempts_that_get_no_further_are_failures(
    platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, LARGE)
    storage.fail(path, *(Fault(stop_at=100_000, whole=True) for _ in range(30)))
    policy = RetryPolicy(retries=3, base=0)
    async with Session(TOKEN, base_url=platform.url, retry=policy) as session:
        with pytest.raises(TransportError) as caught:
            await files.download(session, await changeset(session), tmp_path)
    assert caught.value.retryable
    assert len(storage.asked) == 1 + 3


async def test_a_range_that_is_ignored_begins_anew(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, LARGE)
    storage.fail(path, Fault(stop_at=2 * MB + 5), Fault(whole=True))
    file = await files.download(session, await changeset(session), tmp_path)
    assert file.path.read_bytes() == LARGE
    assert file.received == len(LARGE) + 2 * MB + 5


@pytest.mark.parametrize("size", [3 * MB, len(LARGE)])
async def test_a_blob_that_changed_begins_anew(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path, size: int
) -> None:
    other = random.Random(8).randbytes(len(LARGE))
    path = platform.add(1, LARGE)
    storage.fail(path, Fault(stop_at=size - MB), Fault(change=other))
    file = await files.download(session, await changeset(session), tmp_path)
    assert file.path.read_bytes() == other


async def test_server_errors_and_lost_connections_are_retried(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, SMALL)
    storage.fail(path, Fault(status=503, code="ServerBusy"), Fault(status=500), Fault(stop_at=0))
    file = await files.download(session, await changeset(session), tmp_path)
    assert file.path.read_bytes() == SMALL
    assert len(storage.asked) == 4


async def test_a_storage_that_stays_broken_is_told_by_its_code(
    platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, SMALL)
    storage.fail(path, *[Fault(status=503, code="ServerBusy")] * 3)
    policy = RetryPolicy(retries=2, base=0)
    async with Session(TOKEN, base_url=platform.url, retry=policy) as session:
        with pytest.raises(ServerError) as caught:
            await files.download(session, await changeset(session), tmp_path)
    assert caught.value.code == "ServerBusy"
    assert caught.value.path == f"{storage.url}{path}"
    assert "s3cr3t" not in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize("at", [None, 0, 100_000, 2 * MB])
async def test_an_expired_address_is_asked_for_again(
    session: Session,
    platform: FilePlatform,
    storage: BlobStorage,
    tmp_path: Path,
    at: int | None,
) -> None:
    path = platform.add(1, LARGE)
    found = await changeset(session)
    platform.asked.clear()
    if at is None:
        storage.revoke()
    else:
        storage.fail(path, Fault(stop_at=at, revoke=True))
    file = await files.download(session, found, tmp_path)
    assert file.path.read_bytes() == LARGE
    assert file.received == len(LARGE)
    assert platform.asked == [f"GET /imodels/{IMODEL}/changesets/{found.id}"]


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ExpiredToken"), (401, "NoAuthenticationInformation"), (403, "")]
)
async def test_each_way_of_saying_that_it_has_expired(
    session: Session,
    platform: FilePlatform,
    storage: BlobStorage,
    tmp_path: Path,
    status: int,
    code: str,
) -> None:
    path = platform.add(1, SMALL)
    found = await changeset(session)
    storage.fail(path, Fault(status=status, code=code))
    assert (await files.download(session, found, tmp_path)).size == len(SMALL)


async def test_an_address_that_is_refused_when_it_is_new_is_the_end(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, SMALL)
    found = await changeset(session)
    platform.asked.clear()
    storage.fail(path, *[Fault(status=403, code="AuthorizationFailure")] * 9)
    with pytest.raises(PermissionDeniedError) as caught:
        await files.download(session, found, tmp_path)
    assert caught.value.code == "AuthorizationFailure"
    assert len(platform.asked) == 1
    assert len(storage.asked) == 2


async def test_other_refusals_are_not_renewed(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, SMALL)
    found = await changeset(session)
    platform.asked.clear()
    storage.fail(path, Fault(status=409, code="PublicAccessNotPermitted"))
    with pytest.raises(ConflictError):
        await files.download(session, found, tmp_path)
    assert platform.asked == []


async def test_a_wrong_digest_leaves_nothing(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    for index, data in enumerate((SMALL, LARGE), 1):
        path = platform.add(index, data)
        storage.fail(path, Fault(digest=wrong))
        found = await changeset(session, index)
        with pytest.raises(FileTransferError) as caught:
            await files.download(session, found, tmp_path)
        assert caught.value.name == f"{found.id}.cs"
        assert names(tmp_path) == []
    assert (await files.download(session, found, tmp_path)).size == len(LARGE)


@pytest.mark.parametrize("right", [True, False])
async def test_googles_digest_is_checked_too(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path, *, right: bool
) -> None:
    path = platform.add(1, SMALL)
    digest = base64.b64encode(hashlib.md5(SMALL if right else b"other").digest()).decode()
    headers = {"x-goog-hash": f"crc32c=AAAAAA==, md5={digest}"}
    storage.fail(path, Fault(digest="", headers=headers))
    found = await changeset(session)
    if right:
        assert (await files.download(session, found, tmp_path)).size == len(SMALL)
        return
    with pytest.raises(FileTransferError):
        await files.download(session, found, tmp_path)


async def test_a_digest_of_the_whole_is_checked_behind_a_range(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, LARGE)
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    range_digest = {"Content-MD5": base64.b64encode(hashlib.md5(b"range").digest()).decode()}
    storage.fail(path, Fault(stop_at=2 * MB, digest=""), Fault(digest="", headers=range_digest))
    found = await changeset(session)
    assert (await files.download(session, found, tmp_path)).size == len(LARGE)
    (tmp_path / f"{found.id}.cs").unlink()
    storage.fail(path, Fault(stop_at=2 * MB, digest=""), Fault(digest=wrong))
    with pytest.raises(FileTransferError):
        await files.download(session, found, tmp_path)


@pytest.mark.parametrize("header", ["", "bm8gTUQ1", "nonsense!"])
async def test_a_digest_that_is_none_is_not_checked(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path, header: str
) -> None:
    storage.fail(platform.add(1, SMALL), Fault(digest=header))
    assert (await files.download(session, await changeset(session), tmp_path)).size == len(SMALL)


@pytest.mark.parametrize("unsized", [False, True])
@pytest.mark.parametrize("told", [-1, 1])
async def test_a_size_that_was_not_announced_is_an_error(
    session: Session,
    platform: FilePlatform,
    storage: BlobStorage,
    tmp_path: Path,
    told: int,
    unsized: bool,
) -> None:
    path = platform.add(1, SMALL, fileSize=len(SMALL) + told)
    storage.fail(path, Fault(unsized=unsized))
    with pytest.raises(FileTransferError):
        await files.download(session, await changeset(session), tmp_path)
    assert names(tmp_path) == []


async def test_a_part_of_an_earlier_process_is_continued(
    platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, LARGE)
    storage.fail(path, Fault(stop_at=2 * MB + 77))
    once = RetryPolicy(retries=0)
    async with Session(TOKEN, base_url=platform.url, retry=once) as session:
        with pytest.raises(TransportError):
            await files.download(session, await changeset(session), tmp_path)
    assert len(names(tmp_path)) == 2
    async with Session(TOKEN, base_url=platform.url) as session:
        file = await files.download(session, await changeset(session), tmp_path)
    assert file.path.read_bytes() == LARGE
    assert file.received == len(LARGE) - 2 * MB - 77
    assert names(tmp_path) == [file.path.name]


@pytest.mark.parametrize("damage", ["content", "longer", "no note", "odd note", "other blob"])
async def test_a_part_that_is_of_no_use_is_dropped(
    platform: FilePlatform, storage: BlobStorage, tmp_path: Path, damage: str
) -> None:
    path = platform.add(1, LARGE)
    storage.fail(path, Fault(stop_at=2 * MB))
    async with Session(TOKEN, base_url=platform.url, retry=RetryPolicy(retries=0)) as session:
        with pytest.raises(TransportError):
            await files.download(session, await changeset(session), tmp_path)
        part, note = (tmp_path / name for name in names(tmp_path))
        expected = LARGE
        if damage == "content":
            part.write_bytes(b"x" * 2 * MB)
        elif damage == "longer":
            part.write_bytes(LARGE + b"more")
        elif damage == "no note":
            note.unlink()
        elif damage == "odd note":
            note.write_bytes(b"\xff\xfe")
        else:
            expected = random.Random(9).randbytes(len(LARGE))
            storage.put(path, expected)
        file = await files.download(session, await changeset(session), tmp_path)
    assert file.path.read_bytes() == expected
    assert names(tmp_path) == [file.path.name]


async def test_a_part_that_was_whole_is_finished(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, LARGE)
    found = await changeset(session)
    (tmp_path / f"{found.id}.cs.part").write_bytes(LARGE)
    (tmp_path / f"{found.id}.cs.part.etag").write_text(f'"{storage.digests[path].rstrip("=")}"')
    file = await files.download(session, found, tmp_path)
    assert file.path.read_bytes() == LARGE
    assert file.received == 1
    assert names(tmp_path) == [file.path.name]


async def test_a_cancelled_download_keeps_its_part_and_stops(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    platform.add(1, LARGE)
    storage.pace = 0.01
    task = asyncio.create_task(files.download(session, await changeset(session), tmp_path))
    await until(lambda: any(p.stat().st_size for p in tmp_path.iterdir()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    storage.pace = 0
    file = await files.download(session, await changeset(session), tmp_path)
    assert file.path.read_bytes() == LARGE
    assert 0 < file.received < len(LARGE)


async def test_two_at_once_of_one_file_do_not_mix(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    platform.add(1, LARGE)
    found = await changeset(session)
    storage.pace = 0.002
    both = [files.download(session, found, tmp_path) for _ in range(2)]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert all(isinstance(one, files.LocalFile | FileTransferError) for one in outcomes)
    assert any(isinstance(one, files.LocalFile) for one in outcomes)
    assert (tmp_path / f"{found.id}.cs").read_bytes() == LARGE
    assert names(tmp_path) == [f"{found.id}.cs"]


async def test_a_disk_that_refuses_is_an_os_error_and_not_retried(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    platform.add(1, LARGE)
    found = await changeset(session)
    (tmp_path / f"{found.id}.cs.part").mkdir()
    with pytest.raises(IsADirectoryError):
        await files.download(session, found, tmp_path)
    assert len(storage.asked) == 1


async def test_a_long_body_may_take_longer_than_an_attempt(
    platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    platform.add(1, LARGE)
    storage.pace = 0.01
    timeout = Timeout(total=0.4, attempt=0.2)
    async with Session(TOKEN, base_url=platform.url, timeout=timeout) as session:
        file = await files.download(session, await changeset(session), tmp_path)
    assert file.received == len(LARGE)
    assert len(storage.asked) == 1


async def test_a_body_that_stands_still_is_continued(
    platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    path = platform.add(1, LARGE)
    storage.pace = 0.6
    timeout = Timeout(total=60, attempt=0.2)
    policy = RetryPolicy(base=0)
    async with Session(TOKEN, base_url=platform.url, timeout=timeout, retry=policy) as session:
        work = asyncio.create_task(files.download(session, await changeset(session), tmp_path))
        await until(lambda: storage.sent.get(path))
        await asyncio.sleep(0.1)
        storage.pace = 0
        assert (await work).received == len(LARGE)
    assert storage.asked[-1].range is not None


async def test_events_tell_how_far_it_is_and_no_secret(
    session: Session, platform: FilePlatform, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    platform.add(1, LARGE)
    seen: list[Event] = []
    with caplog.at_level("DEBUG", "itwin_async"), session.observe(seen.append):
        found = await changeset(session)
        await files.download(session, found, tmp_path)
        await files.download(session, found, tmp_path)
    told = [event for event in seen if isinstance(event, FileProgress)]
    assert [event.done for event in told] == sorted(event.done for event in told)
    assert all(event.size == len(LARGE) for event in told)
    assert [(event.finished, event.kept) for event in told[-2:]] == [(True, False), (True, True)]
    assert len(told) >= 4
    (attempt,) = [
        event for event in seen if isinstance(event, AttemptFinished) and "://" in event.path
    ]
    assert attempt.received == len(LARGE)
    ours = [record.getMessage() for record in caplog.records if record.name == "itwin_async"]
    for text in (repr(seen), repr(ours), repr(found)):
        assert "s3cr3t" not in text
        assert "sig=" not in text


async def test_the_quota_and_the_pace_of_the_platform_do_not_count_for_files(
    platform: FilePlatform, storage: BlobStorage, session: Session, tmp_path: Path
) -> None:
    path = platform.add(1, SMALL)
    found = await changeset(session)
    storage.fail(path, Fault(status=429))
    await files.download(session, found, tmp_path)
    assert session.waiting == 0
    assert [asked.path for asked in storage.asked] == [path, path]


async def test_a_session_that_authorizes_everything_is_refused(
    platform: FilePlatform, storage: BlobStorage, session: Session, tmp_path: Path
) -> None:
    import aiohttp

    from itwin_async import ConfigurationError

    platform.add(1, SMALL)
    found = await changeset(session)
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as http,
        Session(TOKEN, base_url=platform.url, client_session=http) as careless,
    ):
        with pytest.raises(ConfigurationError):
            await files.download(careless, found, tmp_path)
    assert storage.asked == []


async def test_a_borrowed_session_stores_what_is_stored(
    platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    import aiohttp

    platform.add(1, SMALL)
    async with (
        aiohttp.ClientSession() as http,
        Session(TOKEN, base_url=platform.url, client_session=http) as session,
    ):
        file = await files.download(session, await changeset(session), tmp_path)
    assert file.path.read_bytes() == SMALL


@pytest.mark.parametrize("href", ["http://storage.example/x?sig=s3cr3t", "//x", "nonsense"])
async def test_an_address_that_is_not_safe_is_not_used(
    session: Session, tmp_path: Path, href: str
) -> None:
    link = {"download": {"href": href}}
    found = from_dict(imodels.Changeset, {"id": "1" * 40, "fileSize": 5, "_links": link})
    with pytest.raises(FileTransferError) as caught:
        await files.download(session, found, tmp_path)
    assert "s3cr3t" not in str(caught.value)


async def test_no_address_is_told_with_the_likely_reason(
    session: Session, platform: FilePlatform, tmp_path: Path
) -> None:
    platform.add(1, SMALL, state="waitingForFile")
    with pytest.raises(FileTransferError):
        await files.download(session, await changeset(session), tmp_path)


async def test_each_kind_of_entity(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    platform.add(1, SMALL)
    storage.put("/c/base", LARGE)
    storage.put("/c/out", SMALL)
    storage.put("/c/small.png", PNG, "image/png")
    storage.put("/c/large.png", PNG + b"large", "image/png; charset=binary")

    def link(path: str) -> dict[str, Any]:
        return {"href": storage.sign(path), "storageType": "azure"}

    image = {"id": ITWIN, "smallImageUrl": "", "largeImageUrl": ""}

    def pictures() -> dict[str, Any]:
        small, large = storage.sign("/c/small.png"), storage.sign("/c/large.png")
        return {"image": {**image, "smallImageUrl": small, "largeImageUrl": large}}

    baseline = {"id": IMODEL, "fileSize": len(LARGE), "state": "initialized"}
    data_url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    platform.answers = {
        f"GET /imodels/{IMODEL}/baselinefile": lambda: {
            "baselineFile": {**baseline, "_links": {"download": link("/c/base")}}
        },
        f"GET /imodels/{IMODEL}/changesets/0/checkpoint": lambda: {
            "checkpoint": {
                "changesetId": "",
                "changesetIndex": 0,
                "state": "successful",
                "_links": {"download": link("/c/base")},
            }
        },
        "GET /itwins/exports/e1": lambda: {
            "export": {
                "id": "e1",
                "status": "Completed",
                "request": {"outputFormat": "CsvGZip"},
                "outputUrl": storage.sign("/c/out"),
            }
        },
        f"GET /itwins/{ITWIN}/image": pictures,
        "GET /savedviews/view-1/image": lambda: {"href": storage.sign("/c/large.png")},
        "GET /savedviews/view-2/image": {"href": data_url},
        f"GET /imodels/{IMODEL}/thumbnail": PNG,
    }
    get = files.download
    entities: list[tuple[Any, str, bytes]] = [
        (await imodels.get_baseline_file(session, IMODEL), f"{IMODEL}.bim", LARGE),
        (
            await imodels.get_changeset_checkpoint(session, IMODEL, 0),
            "baseline.bim",
            LARGE,
        ),
        (await itwins.get_export(session, "e1"), "e1.csv.gz", SMALL),
        (await itwins.get_image(session, ITWIN), f"{ITWIN}.png", PNG + b"large"),
        (saved_views.SavedView(id="view-1"), "view-1.png", PNG + b"large"),
        (saved_views.SavedView(id="view-2"), "view-2.png", PNG),
        (imodels.IModel(id=IMODEL), f"{IMODEL}.png", PNG),
        (imodels.ChangesetSummary(id=f"{1:040x}"), f"{1:040x}.cs", SMALL),
    ]
    storage.revoke()  # each is asked for again
    for entity, name, data in entities:
        file = await get(session, entity, tmp_path, imodel_id=IMODEL)
        assert (file.path.name, file.path.read_bytes()) == (name, data)
    small = await get(session, itwins.ITwin(id=ITWIN), tmp_path, picture_size="small", name="p")
    assert (small.path.name, small.path.read_bytes()) == ("p", PNG)
    assert len(names(tmp_path)) == len(entities) + 1
    storage.revoke()
    found = await itwins.get_image(session, ITWIN)
    storage.revoke()
    for pictured, size, body in (
        (found, "large", PNG + b"large"),
        (itwins.ITwin(id=ITWIN), "small", PNG),
        (saved_views.SavedView(id="view-1"), "large", PNG + b"large"),
        (saved_views.SavedView(id="view-2"), "large", PNG),
        (imodels.IModel(id=IMODEL), "large", PNG),
    ):
        content = await files.fetch_picture(session, pictured, picture_size=size)  # type: ignore[arg-type]
        assert content.body == body
        assert content.content_type.startswith("image/png")
    image = {"id": ITWIN, "smallImageUrl": "", "largeImageUrl": ""}
    platform.answers[f"GET /itwins/{ITWIN}/image"] = {"image": image}
    with pytest.raises(FileTransferError):
        await files.fetch_picture(session, itwins.ITwin(id=ITWIN))


async def test_ids_do_not_lead_out_of_the_folder(
    session: Session, storage: BlobStorage, tmp_path: Path
) -> None:
    storage.put("/c/x", SMALL)
    export = itwins.Export(id="../../etc/passwd", output_url=storage.sign("/c/x"))
    file = await files.download(session, export, tmp_path / "in")
    assert file.path.parent == tmp_path / "in"
    assert names(tmp_path) == ["in"]


async def test_bad_arguments_are_refused_before_any_request(
    session: Session, platform: FilePlatform, tmp_path: Path
) -> None:
    found = imodels.Changeset(id="1" * 40)
    (tmp_path / "file").touch()
    with refused("folder"):
        await files.download(session, found, "")
    with refused("folder"):
        await files.download(session, found, tmp_path / "file")
    with refused("name"):
        await files.download(session, found, tmp_path, name="a/b")
    with refused("name"):
        await files.download(session, found, tmp_path, name="..")
    with refused("entity"):
        await files.download(session, "a changeset", tmp_path)  # type: ignore[arg-type]
    for wrong in (found, "a view"):
        with refused("entity"):
            await files.fetch_picture(session, wrong)  # type: ignore[arg-type]
    with refused("picture_size"):
        await files.download(session, found, tmp_path, picture_size="huge")  # type: ignore[arg-type]
    with refused("imodel_id"):
        await files.download(session, imodels.Checkpoint(), tmp_path)
    with refused("concurrency"):
        await files.download_changesets(session, IMODEL, tmp_path, concurrency=0)
    assert platform.asked == []


async def test_all_changesets_of_an_imodel(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    platform.page_size = 7
    for index in range(1, 31):
        platform.add(index, rng.randbytes(index * 100))
    platform.add(31, b"x", state="waitingForFile")
    part = await files.download_changesets(session, IMODEL, tmp_path, after_index=5, last_index=9)
    assert (part.files, part.kept, part.pending, part.complete) == (4, 0, 0, True)
    report = await files.download_changesets(session, IMODEL, tmp_path)
    assert (report.files, report.kept, report.pending) == (30, 4, 1)
    assert not report.complete
    assert report.size == sum(range(1, 31)) * 100
    assert report.received == report.size - part.size
    assert names(tmp_path) == [f"{index:040x}.cs" for index in range(1, 31)]
    for index in range(1, 31):
        name = f"{index:040x}"
        assert (tmp_path / f"{name}.cs").read_bytes() == storage.blobs[f"/container/{name}"]
    assert len(storage.asked) == 30


async def test_one_that_fails_does_not_keep_the_others(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    for index in range(1, 9):
        platform.add(index, SMALL)
    storage.fail(f"/container/{3:040x}", Fault(status=404, code="BlobNotFound"))
    report = await files.download_changesets(session, IMODEL, tmp_path, concurrency=2)
    assert report.files == 7
    assert [failure.item for failure in report.failures] == [f"{3:040x}"]
    assert (await files.download_changesets(session, IMODEL, tmp_path)).received == len(SMALL)


async def test_fail_fast_raises(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    platform.add(1, SMALL, fileSize=1)
    report = files.DownloadReport()
    with pytest.raises(FileTransferError):
        await files.download_changesets(session, IMODEL, tmp_path, fail_fast=True, report=report)
    assert report.files == 0


async def test_no_more_are_under_way_than_asked_for(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    for index in range(1, 21):
        platform.add(index, SMALL)
    running, most = 0, 0
    plain = storage.read

    async def counted(*arguments: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        try:
            return await plain(*arguments)
        finally:
            running -= 1

    storage.read = counted  # type: ignore[method-assign]
    await files.download_changesets(session, IMODEL, tmp_path, concurrency=3)
    assert most == 3


async def test_memory_does_not_grow_with_the_file(
    session: Session, platform: FilePlatform, storage: BlobStorage, tmp_path: Path
) -> None:
    platform.add(1, bytes(48 * MB))
    found = await changeset(session)
    tracemalloc.start()
    try:
        await files.download(session, found, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 12 * MB
    finally:
        tracemalloc.stop()
