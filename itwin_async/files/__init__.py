"""
Files behind signed addresses: downloads that continue where they ended, and uploads.

They run over the session's own pool, retries and deadlines. ``azure-storage-blob`` and ``obstore``
were weighed: each has a pool, a retry loop and time-outs of its own, knows nothing of an address
that is asked for again in mid-file, and speaks to one kind of storage with signed addresses, where
a range and a block are one request each.
"""

from __future__ import annotations

from itwin_async.events import FileProgress
from itwin_async.files.containers import download_checkpoint_blocks
from itwin_async.files.downloads import (
    DownloadReport,
    LocalFile,
    download,
    download_changesets,
)
from itwin_async.files.pictures import fetch_picture
from itwin_async.files.uploads import upload_baseline, upload_changeset

__all__ = [
    "DownloadReport",
    "FileProgress",
    "LocalFile",
    "download",
    "download_changesets",
    "download_checkpoint_blocks",
    "fetch_picture",
    "upload_baseline",
    "upload_changeset",
]
