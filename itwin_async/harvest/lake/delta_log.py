"""
The application transaction identifiers in a Delta table's log.

delta-rs looks one identifier up at a time, and reads its whole log for each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow.fs

_LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(\..+)?\.(parquet|json)")
_FEW = 20  # commits that are read one by one rather than a checkpoint


class DeltaLog:
    """
    Reads the log of one table.

    Args:
        url: the folder of the table.
        storage_options: how the store is reached.

    """

    def __init__(self, url: str, storage_options: Mapping[str, str]) -> None:
        from deltalake.fs import DeltaStorageHandler  # noqa: PLC0415 - an extra
        from pyarrow.fs import PyFileSystem  # noqa: PLC0415 - an extra

        handler = DeltaStorageHandler(url, dict(storage_options))
        self._files: pyarrow.fs.FileSystem = PyFileSystem(handler)
        self._version = -1
        self._known: dict[str, int] = {}

    def folders(self) -> list[str]:
        """List the names of the folders in this one."""
        from pyarrow.fs import FileSelector, FileType  # noqa: PLC0415 - an extra

        found = self._files.get_file_info(FileSelector("", allow_not_found=True))
        return sorted(one.base_name for one in found if one.type == FileType.Directory)

    def identifiers(self, version: int) -> Mapping[str, int]:
        """Read the identifiers that hold at a version, with their own versions."""
        if version < self._version:
            self._version, self._known = -1, {}
        if self._version < 0 or version - self._version > _FEW:
            self._read_checkpoint(version)
        for number in range(self._version + 1, version + 1):
            self._read_commit(number)
        self._version = version
        return self._known

    def _read_commit(self, number: int) -> None:
        for line in self._bytes(f"{number:020d}.json").splitlines():
            if b'"txn"' in line:
                self._take(json.loads(line).get("txn"))

    def _read_checkpoint(self, version: int) -> None:
        """Take the identifiers of the last checkpoint up to a version, if there is one."""
        found: dict[int, list[str]] = {}
        for name in self._names():
            match = _CHECKPOINT.fullmatch(name)
            if match is not None and self._version < int(match[1]) <= version:
                found.setdefault(int(match[1]), []).append(name)
        if not found:
            return
        last = max(found)
        for name in found[last]:
            self._read_actions(name)
        self._version = last

    def _read_actions(self, name: str) -> None:
        if name.endswith(".json"):
            for line in self._bytes(name).splitlines():
                self._take(json.loads(line).get("txn"))
            return
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        with self._files.open_input_file(f"{_LOG}/{name}") as file:
            parts = pq.ParquetFile(file)
            if "txn" not in parts.schema_arrow.names:
                return
            for batch in parts.iter_batches(columns=["txn"]):
                for action in batch.column("txn").drop_null().to_pylist():
                    self._take(action)

    def _take(self, action: Mapping[str, Any] | None) -> None:
        if action is not None:
            self._known[action["appId"]] = action["version"]

    def _bytes(self, name: str) -> bytes:
        with self._files.open_input_stream(f"{_LOG}/{name}") as stream:
            data: bytes = stream.read()
            return data

    def _names(self) -> list[str]:
        from pyarrow.fs import FileSelector  # noqa: PLC0415 - an extra

        found = self._files.get_file_info(FileSelector(_LOG, allow_not_found=True))
        return [one.base_name for one in found]
