"""Targets that many machines may write at once, in object stores and databases."""

from __future__ import annotations

from itwin_async.harvest.lake.protocol import LakeState, LakeTable, LakeTarget, ListRows, Revision
from itwin_async.harvest.target import TargetFiles

__all__ = [
    "LakeState",
    "LakeTable",
    "LakeTarget",
    "ListRows",
    "Revision",
    "open_lake",
    "open_shared",
]


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


def open_shared(files: TargetFiles) -> LakeTarget | None:
    """
    Make the target of a name as one for many writers; ``None`` if there can be only one.

    A database that has the checkpoint too is a target of either kind, from its beginning on.

    Raises:
        ArgumentError: the storage options make no sense.
        ConfigurationError: an extra is not installed.

    """
    if files.address is not None:
        from itwin_async.harvest.lake.postgres import PostgresTarget  # noqa: PLC0415 - an extra

        return PostgresTarget(files.address)
    return open_lake(files)
