"""The controls of the world: one iTwin, iModel or favorite at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from itwin_async.emulator.control.rules import check_imodel, check_itwin
from itwin_async.emulator.engine import Engine
from itwin_async.emulator.json_types import Json
from itwin_async.emulator.world.factories import new_imodel, new_itwin
from itwin_async.emulator.world.records import (
    CLASS_OF,
    Extent,
    IModelRecord,
    ITwinRecord,
    UserRecord,
)
from itwin_async.emulator.world.state import World

ExtentLike: TypeAlias = Extent | tuple[float, float, float, float] | Mapping[str, Json]
Entity: TypeAlias = ITwinRecord | IModelRecord | str
User: TypeAlias = UserRecord | str


class WorldControls:
    """The controls of an emulator's world."""

    _engine: Engine

    @property
    def state(self) -> World:
        """The world: what the platform remembers."""
        return self._engine.world

    def add_user(self, name: str, *, id: str | None = None, email: str | None = None) -> UserRecord:  # noqa: A002 - the record's own word
        """
        Add a user, with empty lists.

        Args:
            name: its name in tests.
            id: its GUID; made from the name when None.
            email: its address; made from the name when None.

        """
        with self._engine.lock:
            return self._engine.world.user(name, id=id, email=email)

    def add_itwin(
        self,
        display_name: str | None = None,
        *,
        id: str | None = None,  # noqa: A002 - the record's own word
        sub_class: str = "Project",
        status: str = "Active",
        type: str | None = None,  # noqa: A002 - the record's own word
        number: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        geographic_location: str | None = None,
        iana_time_zone: str | None = None,
        data_center_location: str = "East US",
        parent_id: str | None = None,
        created: str | None = None,
        front: bool = False,
    ) -> ITwinRecord:
        """
        Add an iTwin; ValueError for one that the platform would not create.

        Args:
            display_name: its name; made up when None.
            id: its GUID; made up when None.
            sub_class: its subclass; the class follows from it.
            status: Active, Inactive or Trial.
            type: its type.
            number: its number; the id when None.
            latitude: degrees.
            longitude: degrees.
            geographic_location: an address or a town.
            iana_time_zone: its time zone.
            data_center_location: the data center of its data.
            parent_id: its parent; the account when None.
            created: its creation time, as on the wire; now when None.
            front: whether it precedes all others in lists.

        """
        if sub_class not in CLASS_OF:
            raise ValueError(f"sub_class must be one of {', '.join(CLASS_OF)}, not {sub_class!r}")
        engine = self._engine
        with engine.lock:
            new = new_itwin(engine.world, engine.clock, display_name, id)
            record = attrs.evolve(
                new,
                class_=CLASS_OF[sub_class],
                sub_class=sub_class,
                status=status,
                type=type,
                number=number or new.number,
                latitude=latitude,
                longitude=longitude,
                geographic_location=geographic_location,
                iana_time_zone=iana_time_zone,
                data_center_location=data_center_location,
                parent_id=parent_id or new.parent_id,
                created=created or new.created,
            )
            check_itwin(engine.world, record)
            engine.world.put_itwin(record, front=front)
            return record

    def add_imodel(
        self,
        itwin_id: str | ITwinRecord,
        display_name: str | None = None,
        *,
        id: str | None = None,  # noqa: A002 - the record's own word
        description: str | None = None,
        extent: ExtentLike | None = None,
        state: str = "initialized",
        created: str | None = None,
        is_secured: bool = False,
        containers_enabled: int = 0,
        last_changeset: str | None = None,
        front: bool = False,
    ) -> IModelRecord:
        """
        Add an iModel to an iTwin.

        Args:
            itwin_id: the iTwin.
            display_name: its name; made up when None.
            id: its GUID; made up when None.
            description: its description.
            extent: south, west, north and east in degrees, or as on the wire.
            state: initialized or notInitialized.
            created: its creation time, as on the wire; now when None.
            is_secured: whether it has permissions of its own.
            containers_enabled: which containers it has, as flags.
            last_changeset: the time of its last changeset, as on the wire.
            front: whether it precedes all others in lists.

        Raises:
            KeyError: the iTwin is unknown.
            ValueError: the platform would not create such an iModel.

        """
        engine = self._engine
        with engine.lock:
            record = new_imodel(engine.world, engine.clock, _id(itwin_id), display_name, id)
            record = attrs.evolve(
                record,
                description=description,
                extent=_extent(extent),
                state=state,
                created=created or record.created,
                is_secured=is_secured,
                containers_enabled=containers_enabled,
                last_changeset=last_changeset,
            )
            check_imodel(engine.world, record)
            engine.world.put_imodel(record, front=front)
            return record

    def remove_itwin(self, itwin: str | ITwinRecord) -> None:
        """Remove an iTwin and its iModels."""
        with self._engine.lock:
            self._engine.world.drop_itwin(_id(itwin))

    def remove_imodel(self, imodel: str | IModelRecord) -> None:
        """Remove an iModel."""
        with self._engine.lock:
            self._engine.world.drop_imodel(_id(imodel))

    def favorite(self, user: User, *entities: Entity) -> None:
        """Make iTwins and iModels favorites of a user."""
        self._favorite(user, entities, on=True)

    def unfavorite(self, user: User, *entities: Entity) -> None:
        """Make iTwins and iModels no longer favorites of a user."""
        self._favorite(user, entities, on=False)

    def recent(self, user: User, *entities: Entity) -> None:
        """Add iTwins and iModels to the recents of a user; the last one is the newest."""
        with self._engine.lock:
            name = self._user(user)
            for entity in entities:
                self._engine.world.recent(name, _id(entity))

    def unrecent(self, user: User, *entities: Entity) -> None:
        """Remove iTwins and iModels from the recents of a user."""
        with self._engine.lock:
            name = self._user(user)
            for entity in entities:
                self._engine.world.forget_recent(name, _id(entity))

    def deny(self, user: User, *entities: Entity) -> None:
        """Hide iTwins and iModels from a user; KeyError for one that is unknown."""
        with self._engine.lock:
            world = self._engine.world
            found = [_id(entity) for entity in entities]
            for entity_id in found:
                if entity_id not in world.itwins and entity_id not in world.imodels:
                    raise KeyError(entity_id)
            world.lists_of(self._user(user)).denied.update(found)

    def allow(self, user: User, *entities: Entity) -> None:
        """Show iTwins and iModels to a user again."""
        with self._engine.lock:
            lists = self._engine.world.lists_of(self._user(user))
            lists.denied.difference_update(_id(entity) for entity in entities)

    def _favorite(self, user: User, entities: tuple[Entity, ...], *, on: bool) -> None:
        with self._engine.lock:
            name = self._user(user)
            for entity in entities:
                self._engine.world.favorite(name, _id(entity), on=on)

    def _user(self, user: User) -> str:
        name = user.name if isinstance(user, UserRecord) else user
        return self._engine.world.user(name).name


def _id(entity: Entity) -> str:
    return entity.lower() if isinstance(entity, str) else entity.id


def _extent(value: ExtentLike | None) -> Extent | None:
    if isinstance(value, Mapping):
        return Extent.from_json(value)
    return Extent(*value) if isinstance(value, tuple) else value
