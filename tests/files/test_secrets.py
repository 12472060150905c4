"""A signed address shows nowhere: not in errors, their frames, logs, events or reprs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from blob_storage import IMODEL, TOKEN, BlobStorage, Fault, FilePlatform
from leaks import leaks, texts_of

from itwin_async import ITwinError, RetryPolicy, Session, files, imodels, itwins
from itwin_async.events import Event

FAULTS = {
    "refused": [Fault(status=403)] * 9,
    "expired": [Fault(status=400, code="ExpiredToken")] * 9,
    "missing": [Fault(status=404)],
    "failing": [Fault(status=500)] * 9,
    "moved": [Fault(status=302)],
    "breaking": [Fault(stop_at=3, whole=True)] * 9,
    "damaged": [Fault(digest="AAAAAAAAAAAAAAAAAAAAAA==")],
    "limited": [Fault(status=429)] * 9,
}
SECRETS = ["s3cr3t", TOKEN]


@pytest.mark.parametrize("name", FAULTS)
async def test_failing_downloads_and_uploads_show_no_address(
    platform: FilePlatform,
    storage: BlobStorage,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    path = platform.add(1, b"data" * 100)
    storage.fail(path, *FAULTS[name])
    storage.fail(f"/container/{'b' * 40}", *FAULTS[name])
    local = tmp_path / "x.cs"
    local.write_bytes(b"x")
    policy, seen, errors = RetryPolicy(retries=1, rate_limit_retries=1, base=0), [], []
    caplog.set_level(logging.DEBUG, "itwin_async")
    async with Session(TOKEN, base_url=platform.url, retry=policy) as session:
        found = await imodels.get_changeset(session, IMODEL, f"{1:040x}")
        with session.observe(seen.append):
            for work in (
                files.download(session, found, tmp_path),
                files.upload_changeset(session, IMODEL, "b" * 40, local, briefcase_id=2),
            ):
                try:
                    await work
                except ITwinError as error:
                    errors.append(error)
        report = await files.download_changesets(session, IMODEL, tmp_path / "other")
    assert errors
    events: list[Event] = seen
    ours = [record for record in caplog.records if record.name == "itwin_async"]
    texts = {
        "events": repr(events),
        "log": "\n".join(f"{record.getMessage()} {vars(record)}" for record in ours),
        "entity": repr(found),
        "report": repr(report),
    }
    assert leaks(texts, SECRETS) == []
    for error in errors:
        assert leaks(texts_of(error, frames=True), SECRETS) == []


async def test_an_address_that_is_refused_shows_in_no_frame(
    session: Session, tmp_path: Path
) -> None:
    entity = itwins.Export(id="e", output_url="http://storage.example/x?sig=s3cr3t")
    with pytest.raises(ITwinError) as caught:
        await files.download(session, entity, tmp_path)
    assert leaks(texts_of(caught.value, frames=True), SECRETS) == []
    assert "s3cr3t" not in repr(itwins.ITwin(id="i", image="https://x/?sig=s3cr3t"))
