"""What several people do in one iModel: briefcases, locks, groups of changesets."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from itwin_async.emulator.world.belongings import belonging

Level: TypeAlias = Literal["none", "shared", "exclusive"]


@attrs.frozen(kw_only=True)
class Application:
    """What a user works with."""

    id: str
    name: str


@belonging
@attrs.frozen(kw_only=True)
class BriefcaseRecord:
    """A briefcase; a released one is kept, because its number is not given again."""

    id: str
    owner_id: str
    acquired: str
    file_size: int = 204_800
    device_name: str | None = None
    application: Application | None = None
    released: bool = False


@belonging
@attrs.frozen(kw_only=True)
class ElementRecord:
    """
    An element of an iModel that is locked, or was.

    Args:
        id: its id, such as `0x20000000144`.
        level: how it is locked.
        briefcases: the numbers of the briefcases that hold the lock.
        released: by level, the index of the changeset with which it was last released.

    """

    id: str
    level: Level = "none"
    briefcases: tuple[int, ...] = ()
    released: dict[str, int] = attrs.field(factory=dict[str, int])


@belonging
@attrs.frozen(kw_only=True)
class ThumbnailRecord:
    """The picture that was uploaded for an iModel."""

    id: str = "thumbnail"
    image: bytes


@belonging
@attrs.frozen(kw_only=True)
class PermissionsRecord:
    """What a user may do with an iModel; the id is that of the user."""

    id: str
    permissions: tuple[str, ...]


@belonging
@attrs.frozen(kw_only=True)
class ChangesetGroupRecord:
    """A group of changesets."""

    id: str
    description: str
    state: str = "inProgress"
    creator_id: str
    created: str


@belonging
@attrs.frozen(kw_only=True)
class ExtendedDataRecord:
    """What an application attached to a changeset, whose id it has, as base64."""

    id: str
    index: int
    data: str
