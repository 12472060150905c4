"""The world: all that the emulated platform remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import attrs

from itwin_async.emulator.world.generate import IMODEL, MADE, imodel_maker, itwin_rows
from itwin_async.emulator.world.ids import GuidMint, guid_of, is_guid
from itwin_async.emulator.world.records import IModelRecord, ITwinRecord, TagRecord, UserRecord
from itwin_async.emulator.world.tables import Marks, Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable

DEMO_USER = "demo"
RECENTS_KEPT = 25


@attrs.frozen
class UserMarks:
    """The ids that a user has in a list."""

    itwins: list[str]
    imodels: list[str]


@attrs.define
class UserLists:
    """What the world keeps for one user."""

    favorite_itwins: set[str] = attrs.Factory(set[str])
    favorite_imodels: dict[str, Marks] = attrs.Factory(dict[str, Marks])
    recent_itwins: list[str] = attrs.Factory(list[str])
    recent_imodels: list[str] = attrs.Factory(list[str])
    denied: set[str] = attrs.Factory(set[str])

    def copy(self) -> UserLists:
        """Return a copy that changes on its own."""
        return UserLists(
            set(self.favorite_itwins),
            {key: marks.copy() for key, marks in self.favorite_imodels.items()},
            list(self.recent_itwins),
            list(self.recent_imodels),
            set(self.denied),
        )


class World:
    """
    Users, iTwins, iModels, tags, favorites and recents.

    Args:
        seed: equal seeds give equal worlds.
        itwins: how many iTwins to generate.
        imodels: how many iModels to generate in each.
        favorites: which of them are the demo user's favorites: all (True), none (False), a share
            (a float between 0 and 1), or the first so many iTwins and iModels of each iTwin.

    """

    def __init__(
        self, seed: int = 0, itwins: int = 0, imodels: int = 0, *, favorites: float | bool = True
    ) -> None:
        sizes: dict[str, object] = {"itwins": itwins, "imodels": imodels}
        for name, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 0:
                raise ValueError(f"{name} must be a whole number from 0 on, not {size!r}")
        if favorites < 0 or (isinstance(favorites, float) and not favorites <= 1):
            raise ValueError(
                f"favorites must be a bool, a share up to 1.0, or a whole number, not {favorites!r}"
            )
        self.seed = seed
        self.mint = GuidMint(seed)
        self.version = 0
        self.made = 0
        self.users: dict[str, UserRecord] = {}
        self.itwins: dict[str, ITwinRecord] = {}
        self.tags: dict[str, TagRecord] = {}
        self.shelves: dict[str, Shelf] = {}
        self.lists: dict[str, UserLists] = {}
        self._numbers: list[str] = []
        self._places: dict[str, tuple[str, int]] = {}
        demo = self.lists_of(self.user(DEMO_USER).name)
        for row, itwin in enumerate(itwin_rows(seed, self.mint, itwins)):
            self.itwins[itwin.id] = itwin
            self._numbers.append(itwin.id)
            self.shelves[itwin.id] = Shelf(imodel_maker(self.mint, row, itwin), imodels)
            if row < _share(itwins, favorites):
                demo.favorite_itwins.add(itwin.id)
            demo.favorite_imodels[itwin.id] = Marks(range(_share(imodels, favorites)))
        for itwin_id in list(self.itwins)[:3]:
            demo.recent_itwins.append(itwin_id)
            rows = list(self.shelves[itwin_id].positions()[:3])
            demo.recent_imodels += [self.shelves[itwin_id].at(row).id for row in rows]

    @property
    def imodels(self) -> Mapping[str, IModelRecord]:
        """All iModels by id, in the order of the iTwins and of the iModels in each."""
        return _IModels(self)

    @property
    def favorites(self) -> Mapping[str, UserMarks]:
        """By user name, the ids of the favorites."""
        return _Lists(self, favorites=True)

    @property
    def recents(self) -> Mapping[str, UserMarks]:
        """By user name, the ids of the recently used ones, the newest first."""
        return _Lists(self, favorites=False)

    def copy(self) -> World:
        """Return a copy that changes on its own."""
        other = World(self.seed)
        other.version, other.made = self.version, self.made
        other.users, other.itwins, other.tags = dict(self.users), dict(self.itwins), dict(self.tags)
        other.shelves = {key: shelf.copy() for key, shelf in self.shelves.items()}
        other.lists = {key: lists.copy() for key, lists in self.lists.items()}
        other._numbers, other._places = list(self._numbers), dict(self._places)
        return other

    def user(self, name: str, *, id: str | None = None, email: str | None = None) -> UserRecord:  # noqa: A002 - the record's own word
        """
        Return the user of a name, made when new.
        """
        if name not in self.users:
            address = email or (name if "@" in name else f"{name}@example.com")
            self.users[name] = UserRecord(name, id or guid_of(f"user:{name}"), address)
        return self.users[name]

    def lists_of(self, name: str) -> UserLists:
        """Return the lists of a user, empty when new."""
        if name not in self.lists:
            self.lists[name] = UserLists()
        return self.lists[name]

    def put_itwin(self, record: ITwinRecord, *, front: bool = False) -> None:
        """Put an iTwin into the world, or a changed one where it was."""
        self.version += 1
        if record.id not in self.shelves:
            self.shelves[record.id] = Shelf(_nothing)
        if front and record.id not in self.itwins:
            self.itwins = {record.id: record, **self.itwins}
        else:
            self.itwins[record.id] = record

    def drop_itwin(self, itwin_id: str) -> None:
        """Take an iTwin and its iModels away."""
        self.version += 1
        del self.itwins[itwin_id]
        del self.shelves[itwin_id]

    def put_imodel(self, record: IModelRecord, *, front: bool = False) -> None:
        """Put an iModel into its iTwin, or a changed one where it was."""
        self.version += 1
        place = self.place_of(record.id)
        if place is not None:
            self.shelves[place[0]].replace(place[1], record)
            return
        position = self.shelves[record.itwin_id].add(record, front=front)
        self._places[record.id] = (record.itwin_id, position)

    def drop_imodel(self, imodel_id: str) -> None:
        """Take an iModel away."""
        place = self.place_of(imodel_id)
        if place is None:
            raise KeyError(imodel_id)
        self.version += 1
        self.shelves[place[0]].remove(place[1])

    def place_of(self, imodel_id: str, *, gone: bool = False) -> tuple[str, int] | None:
        """
        Return the iTwin of an iModel and its position there.

        Args:
            imodel_id: the iModel.
            gone: whether to tell also where a removed one was.

        """
        place = self._places.get(imodel_id)
        if place is None and is_guid(imodel_id):
            found = self.mint.find(imodel_id)
            if found is not None and found[0] == IMODEL and found[1] < len(self._numbers):
                place = (self._numbers[found[1]], found[2])
        if place is None or place[0] not in self.shelves:
            return None
        return place if gone or self.shelves[place[0]].has(place[1]) else None

    def imodel(self, imodel_id: str) -> IModelRecord | None:
        """Return the iModel of an id."""
        place = self.place_of(imodel_id)
        return None if place is None else self.shelves[place[0]].at(place[1])

    def may_see(self, user: str, *ids: str | None) -> bool:
        """Whether nothing of this was denied to a user."""
        lists = self.lists.get(user)
        return lists is None or lists.denied.isdisjoint(ids)

    def marks_of(self, user: str, itwin_id: str) -> Marks:
        """Return the favorite iModels of a user in an iTwin."""
        marks = self.lists_of(user).favorite_imodels
        if itwin_id not in marks:
            marks[itwin_id] = Marks()
        return marks[itwin_id]

    def favorite_imodels(self, user: str) -> Iterator[str]:
        """Yield the ids of a user's favorite iModels, one after another."""
        marks = self.lists_of(user).favorite_imodels
        for itwin_id in self.itwins:
            if itwin_id in marks:
                shelf = self.shelves[itwin_id]
                for position in marks[itwin_id].positions(shelf):
                    yield shelf.at(position).id

    def favorite(self, user: str, entity_id: str, *, on: bool = True) -> None:
        """Make an iTwin or iModel a favorite of a user, or no longer one."""
        lists = self.lists_of(user)
        self.version += 1
        if entity_id in self.itwins:
            (lists.favorite_itwins.add if on else lists.favorite_itwins.discard)(entity_id)
            return
        place = self.place_of(entity_id)
        if place is None:
            raise KeyError(entity_id)
        marks = self.marks_of(user, place[0])
        (marks.add if on else marks.discard)(place[1])

    def recent(self, user: str, entity_id: str) -> None:
        """Put an iTwin or iModel in front of what a user used recently."""
        lists = self.lists_of(user)
        self.version += 1
        is_itwin = entity_id in self.itwins
        if not is_itwin and self.place_of(entity_id) is None:
            raise KeyError(entity_id)
        ids = lists.recent_itwins if is_itwin else lists.recent_imodels
        if entity_id in ids:
            ids.remove(entity_id)
        ids.insert(0, entity_id)
        del ids[RECENTS_KEPT:]

    def next_number(self) -> int:
        """Return a number that this world did not give before."""
        self.made += 1
        return self.made

    def new_id(self) -> str:
        """Return a GUID that this world did not give before."""
        return self.mint.guid(MADE, 0, self.next_number())


class _IModels(Mapping[str, IModelRecord]):
    def __init__(self, world: World) -> None:
        self._world = world

    def __getitem__(self, imodel_id: str) -> IModelRecord:
        record = self._world.imodel(imodel_id)
        if record is None:
            raise KeyError(imodel_id)
        return record

    def __iter__(self) -> Iterator[str]:
        for itwin_id in self._world.itwins:
            for record in self._world.shelves[itwin_id]:
                yield record.id

    def __len__(self) -> int:
        return sum(len(self._world.shelves[itwin_id]) for itwin_id in self._world.itwins)


class _Lists(Mapping[str, UserMarks]):
    def __init__(self, world: World, *, favorites: bool) -> None:
        self._world = world
        self._favorites = favorites

    def __getitem__(self, user: str) -> UserMarks:
        if user not in self._world.users:
            raise KeyError(user)
        lists = self._world.lists_of(user)
        if not self._favorites:
            return UserMarks(
                _known(lists.recent_itwins, self._world.itwins),
                _known(lists.recent_imodels, self._world.imodels),
            )
        itwins = _known(self._world.itwins, lists.favorite_itwins)
        return UserMarks(itwins, list(self._world.favorite_imodels(user)))

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._world.users))

    def __len__(self) -> int:
        return len(self._world.users)


def _known(ids: Iterable[str], known: Iterable[str]) -> list[str]:
    keep = known if isinstance(known, (set, Mapping)) else set(known)
    return [entity_id for entity_id in ids if entity_id in keep]


def _share(count: int, favorites: float | bool) -> int:
    if favorites is True:
        return count
    if isinstance(favorites, float):
        return round(count * min(max(favorites, 0.0), 1.0))
    return min(count, int(favorites))


def _nothing(position: int) -> IModelRecord:
    raise KeyError(position)
