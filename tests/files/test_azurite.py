"""Against Azurite: what the package takes for the protocol is what Azure's emulator speaks."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azurite import Azurite, running
from blob_storage import IMODEL, FilePlatform

from itwin_async import (
    FileTransferError,
    NotFoundError,
    PermissionDeniedError,
    Session,
    files,
    imodels,
)

MB = 2**20
ID = "c" * 40
DATA = random.Random(3).randbytes(9 * MB + 5)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with running(tmp_path_factory.mktemp("azurite")) as azurite:
        yield azurite


@pytest.fixture
def container(azurite: Azurite) -> str:
    name = f"c{secrets.token_hex(8)}"
    azurite.create(name)
    return name


@pytest.fixture
def links(azurite: Azurite, container: str, platform: FilePlatform) -> dict[str, Any]:
    """Addresses in Azurite instead of the storage of the tests; options may be changed."""
    options: dict[str, Any] = {}
    told = platform.told

    def signed(changeset: dict[str, Any], *, fresh: bool = False) -> dict[str, Any]:
        whole = told(changeset, fresh=fresh)
        href = azurite.address(container, changeset["id"], **options)
        for name in ("download", "upload"):
            if whole["_links"].get(name):
                whole["_links"][name] = {"href": href, "storageType": "azure"}
        return whole

    platform.told = signed  # type: ignore[method-assign]
    # What is completed is not looked up in the storage of the tests.
    plain = platform.one

    def one(request: Any, key: str) -> Any:
        if request.method == "PATCH":
            size = platform.changesets[key]["fileSize"]
            platform.storage.blobs[f"/container/{key}"] = bytes(size)
        return plain(request, key)

    platform.one = one  # type: ignore[method-assign]
    return options


async def test_a_changeset_goes_up_in_blocks_and_comes_down_again(
    session: Session, platform: FilePlatform, links: dict[str, Any], tmp_path: Path
) -> None:
    local = tmp_path / "up.cs"
    local.write_bytes(DATA)
    done = await files.upload_changeset(session, IMODEL, ID, local, briefcase_id=2)
    assert done.state == "fileUploaded"
    file = await files.download(session, done, tmp_path / "down")
    assert file.path.read_bytes() == DATA


async def test_an_upload_that_was_not_completed_is_recognized(
    session: Session,
    azurite: Azurite,
    container: str,
    platform: FilePlatform,
    links: dict[str, Any],
    tmp_path: Path,
) -> None:
    local = tmp_path / "up.cs"
    local.write_bytes(DATA[:5000])
    await imodels.create_changeset(session, IMODEL, ID, briefcase_id=2, file_size=5000)
    azurite.put(container, ID, DATA[:5000])
    links["rights"] = "r"  # nothing can be written any longer
    done = await files.upload_changeset(session, IMODEL, ID, local, briefcase_id=2)
    assert done.state == "fileUploaded"


async def test_blocks_of_an_earlier_upload_are_found(
    session: Session, links: dict[str, Any], tmp_path: Path
) -> None:
    local = tmp_path / "up.cs"
    local.write_bytes(DATA)
    received: list[int] = []

    def stop(event: files.FileProgress | object) -> None:
        if isinstance(event, files.FileProgress) and event.done > 5 * MB:
            local.write_bytes(DATA[: 8 * MB])  # so that it fails before it is committed

    with session.observe(stop), pytest.raises(FileTransferError):
        await files.upload_changeset(session, IMODEL, ID, local, briefcase_id=2, concurrency=1)
    local.write_bytes(DATA)
    from itwin_async.events import AttemptFinished

    def count(event: object) -> None:
        if isinstance(event, AttemptFinished) and event.method == "PUT":
            received.append(1)

    with session.observe(count):
        done = await files.upload_changeset(session, IMODEL, ID, local, briefcase_id=2)
    assert len(received) <= 2  # the last block and the list
    file = await files.download(session, done, tmp_path / "down")
    assert file.path.read_bytes() == DATA


async def test_a_part_is_continued_and_a_changed_blob_begins_anew(
    session: Session,
    azurite: Azurite,
    container: str,
    platform: FilePlatform,
    links: dict[str, Any],
    tmp_path: Path,
) -> None:
    platform.add(int(ID, 16), DATA)
    azurite.put(container, ID, DATA)
    found = await imodels.get_changeset(session, IMODEL, ID)
    first = await files.download(session, found, tmp_path)
    assert first.received == len(DATA)
    etag = await _etag(azurite, container)
    for data, received in ((DATA, len(DATA) - 4 * MB), (DATA[::-1], len(DATA))):
        first.path.unlink()
        first.path.with_name(f"{first.path.name}.part").write_bytes(DATA[: 4 * MB])
        first.path.with_name(f"{first.path.name}.part.etag").write_text(etag)
        if data != DATA:
            azurite.put(container, ID, data)
        file = await files.download(session, found, tmp_path)
        assert file.path.read_bytes() == data
        assert file.received == received
        assert [path.name for path in tmp_path.iterdir()] == [file.path.name]


async def _etag(azurite: Azurite, container: str) -> str:
    import aiohttp
    from yarl import URL

    address = URL(azurite.address(container, ID), encoded=True)
    async with aiohttp.ClientSession() as http, http.head(address) as answer:
        return answer.headers["ETag"]


async def test_an_expired_signature_is_renewed(
    session: Session,
    azurite: Azurite,
    container: str,
    platform: FilePlatform,
    links: dict[str, Any],
    tmp_path: Path,
) -> None:
    platform.add(int(ID, 16), DATA)
    azurite.put(container, ID, DATA)
    links["seconds"] = -60
    found = await imodels.get_changeset(session, IMODEL, ID)
    with pytest.raises(PermissionDeniedError):
        await files.download(session, found, tmp_path)
    links.clear()
    file = await files.download(session, found, tmp_path)
    assert file.path.read_bytes() == DATA


async def test_a_missing_blob_is_not_found(
    session: Session, platform: FilePlatform, links: dict[str, Any], tmp_path: Path
) -> None:
    platform.add(int(ID, 16), DATA)
    found = await imodels.get_changeset(session, IMODEL, ID)
    with pytest.raises(NotFoundError) as caught:
        await files.download(session, found, tmp_path)
    assert caught.value.code == "BlobNotFound"


async def test_the_blocks_of_a_checkpoint(
    session: Session,
    azurite: Azurite,
    container: str,
    platform: FilePlatform,
    tmp_path: Path,
) -> None:
    blobs = {f"dir/{n:02d} & block.bcv": DATA[: n * 1000 + 1] for n in range(12)}
    for name, data in {**blobs, "dir/deep/manifest": b"m", "elsewhere/x": b"x"}.items():
        azurite.put(container, name, data)
    tokens = [azurite.sign(container, seconds=-60)]
    asked = 0

    def checkpoint() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        info = {
            "baseUrl": azurite.url,
            "storage": container,
            "baseDirectory": "dir",
            "storageType": "azure",
            "azure": {"sasToken": tokens[0]},
        }
        tokens[0] = azurite.sign(container)
        return {"checkpoint": {"state": "successful", "directoryAccessInfo": info}}

    platform.answers[f"GET /imodels/{IMODEL}/changesets/5/checkpoint"] = checkpoint
    report = await files.download_checkpoint_blocks(session, IMODEL, 5, tmp_path)
    assert (report.files, report.failures, asked) == (13, [], 2)
    for name, data in blobs.items():
        local = name.removeprefix("dir/").replace(" ", "_").replace("&", "_")
        assert (tmp_path / local).read_bytes() == data
    assert (tmp_path / "deep" / "manifest").read_bytes() == b"m"
    again = await files.download_checkpoint_blocks(session, IMODEL, 5, tmp_path)
    assert (again.kept, again.received) == (13, 0)


@pytest.mark.parametrize(
    "info", [None, {"storageType": "google", "google": {"authorization": "s3cr3t"}}]
)
async def test_a_checkpoint_without_a_directory_of_azure(
    session: Session, platform: FilePlatform, tmp_path: Path, info: dict[str, Any] | None
) -> None:
    route = f"GET /imodels/{IMODEL}/changesets/5/checkpoint"
    platform.answers[route] = {"checkpoint": {"state": "scheduled", "directoryAccessInfo": info}}
    with pytest.raises(FileTransferError) as caught:
        await files.download_checkpoint_blocks(session, IMODEL, 5, tmp_path)
    assert "s3cr3t" not in str(caught.value)
