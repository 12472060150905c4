"""Targets that many machines may write at once, in object stores and databases."""

from __future__ import annotations

from collections.abc import Mapping

from itwin_async._arguments import invalid
from itwin_async.harvest.lake.protocol import LakeState, LakeTable, LakeTarget, ListRows
from itwin_async.harvest.target import TargetFiles

__all__ = ["LakeState", "LakeTable", "LakeTarget", "ListRows", "open_lake"]


def open_lake(
    files: TargetFiles, storage_options: Mapping[str, str] | None = None
) -> LakeTarget | None:
    """
    Make the target of a name; ``None`` for one that is on this machine only.

    Args:
        files: what the name means.
        storage_options: how the store is reached, besides what the environment says.

    Raises:
        ArgumentError: there are options, and the target takes none; or they make no sense.
        ConfigurationError: an extra is not installed.

    """
    options = checked_options(storage_options)
    if files.form == "delta":
        from itwin_async.harvest.lake.delta import DeltaTarget  # noqa: PLC0415 - an extra

        return DeltaTarget(files.name, options)
    if files.form == "objects":
        from itwin_async.harvest.lake.objects import ObjectParquetTarget  # noqa: PLC0415 - an extra

        return ObjectParquetTarget.of_url(files.name, options)
    if options:
        raise invalid("storage_options", "for this target", "for a target in an object store")
    return None


def checked_options(given: Mapping[str, str] | None) -> dict[str, str]:
    """
    Copy storage options.

    Raises:
        ArgumentError: they are no texts by their names; values are never in the message.

    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise invalid("storage_options", type(given).__name__, "a mapping of str to str")
    for name, value in given.items():
        if not (isinstance(name, str) and name and isinstance(value, str)):
            raise invalid("storage_options", str(name), "a mapping of str to str")
    return dict(given)
