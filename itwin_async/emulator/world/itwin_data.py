"""What iTwins and their users have beside iTwins: images, exports, and who administrates."""

from __future__ import annotations

from typing import Any

import attrs

from itwin_async.emulator.world.belongings import belonging


@belonging
@attrs.frozen
class OrdinaryUserRecord:
    """A user who is no organization administrator, by name."""

    id: str


@belonging
@attrs.frozen(kw_only=True)
class ITwinImageRecord:
    """
    The image of an iTwin; its files are in the storage, in a container of its id.

    Args:
        id: its id, another one for every image.
        suffix: the ending of its files.

    """

    id: str
    suffix: str

    @property
    def small_name(self) -> str:
        """The name of the small file."""
        return f"{self.id}_small.{self.suffix}"

    @property
    def large_name(self) -> str:
        """The name of the large file."""
        return f"{self.id}_large.{self.suffix}"


@belonging
@attrs.frozen(kw_only=True)
class ExportPlanRecord:
    """
    How the next exports go.

    Args:
        id: there is one plan.
        queued: seconds before an export begins.
        running: seconds that it then takes.
        fails: whether it fails in the end.

    """

    id: str = "next"
    queued: float = 1.0
    running: float = 1.0
    fails: bool = False


@belonging
@attrs.frozen(kw_only=True)
class ExportRecord:
    """
    An export of iTwins; its file is in the storage, in a container of its id.

    Args:
        id: its id.
        request: what it was asked for, as on the wire.
        user_id: who asked for it.
        created: when, in seconds since the epoch.
        begins: when it begins.
        ends: when it ends.
        fails: whether it fails then.
        file_name: the name of its file.

    """

    id: str
    request: dict[str, Any]
    user_id: str
    created: float
    begins: float
    ends: float
    fails: bool
    file_name: str

    def status(self, now: float) -> str:
        """Return how far it is."""
        if now < self.begins:
            return "Queued"
        if now < self.ends:
            return "InProgress"
        return "Failed" if self.fails else "Completed"
