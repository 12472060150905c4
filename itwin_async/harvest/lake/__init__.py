"""Targets that many machines may write at once, in object stores and databases."""

from __future__ import annotations

from itwin_async.harvest.lake.protocol import LakeState, LakeTable, LakeTarget, ListRows, Revision
from itwin_async.harvest.target import TargetFiles

__all__ = ["LakeState", "LakeTable", "LakeTarget", "ListRows", "Revision", "open_lake"]


def open_lake(files: TargetFiles) -> LakeTarget | None:
    """
    Make the target of a name; ``None`` for one that is on this machine only.

    Raises:
        ArgumentError: the storage options make no sense.
        ConfigurationError: an extra is not installed.

    """
    if files.form == "delta":
        from itwin_async.harvest.lake.delta import DeltaTarget  # noqa: PLC0415 - an extra

        return DeltaTarget(files.name, files.options)
    if files.form == "objects":
        from itwin_async.harvest.lake.objects import ObjectParquetTarget  # noqa: PLC0415 - an extra

        return ObjectParquetTarget.of_url(files.name, files.options)
    return None
