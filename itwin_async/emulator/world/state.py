"""The world: all that the emulated platform remembers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from itwin_async.emulator.world.belongings import Belongings
from itwin_async.emulator.world.generate import (
    IMODEL,
    MADE,
    check_share,
    check_sizes,
    imodel_maker,
    itwin_rows,
    share,
)
from itwin_async.emulator.world.history import GeneratedHistoryRecord, History
from itwin_async.emulator.world.ids import GuidGenerator, guid_of, is_guid
from itwin_async.emulator.world.records import IModelRecord, ITwinRecord, TagRecord, UserRecord
from itwin_async.emulator.world.tables import Rows, Selection, Table
from itwin_async.emulator.world.user_lists import ListedIds, UserLists

DEMO_USER = "demo"
RECENTS_KEPT = 25


class World:
    """
    Users, iTwins, iModels, tags, favorites and recents.

    Args:
        seed: equal seeds give equal worlds.
        itwins: how many iTwins to generate.
        imodels: how many iModels to generate in each.
        favorites: which of them are the demo user's favorites: all (True), none (False), a share
            (a float between 0 and 1), or the first so many iTwins and iModels of each iTwin.
        changesets: how many changesets each of these iModels has.
        named_versions: how many named versions, at most as many.

    """

    def __init__(
        self,
        seed: int = 0,
        itwins: int = 0,
        imodels: int = 0,
        *,
        favorites: float | bool = True,
        changesets: int = 0,
        named_versions: int = 0,
    ) -> None:
        check_sizes(itwins, imodels, changesets, named_versions)
        check_share(favorites)
        self.seed = seed
        self.origin = f"{seed} {itwins} {imodels} {favorites} {changesets} {named_versions}"
        self.guids = GuidGenerator(seed)
        self.made = 0
        self.users: dict[str, UserRecord] = {}
        self.itwins: dict[str, ITwinRecord] = {}
        self.tags: dict[str, TagRecord] = {}
        self.tables: dict[str, Table[IModelRecord]] = {}
        self.lists: dict[str, UserLists] = {}
        self.belongings = Belongings()
        if changesets:
            made = GeneratedHistoryRecord(
                id=str(seed), changesets=changesets, named_versions=named_versions
            )
            self.belongings.put(made)
        self._generated: list[str] = []
        self._added: dict[str, tuple[str, int]] = {}
        self._names: dict[str, dict[str, str]] = {}  # by iTwin, made when asked for
        demo = self.lists_of(self.user(DEMO_USER).name)
        for row, itwin in enumerate(itwin_rows(seed, self.guids, itwins)):
            self.itwins[itwin.id] = itwin
            self._generated.append(itwin.id)
            self.tables[itwin.id] = Table(imodel_maker(self.guids, row, itwin, changesets), imodels)
            if row < share(itwins, favorites):
                demo.favorite_itwins.add(itwin.id)
            demo.favorite_imodels[itwin.id] = Selection(range(share(imodels, favorites)))
        for itwin_id in list(self.itwins)[:3]:
            demo.recent_itwins.append(itwin_id)
            demo.recent_imodels += [row.id for row in self.imodels_of(itwin_id)[:3]]

    @property
    def imodels(self) -> Mapping[str, IModelRecord]:
        """All iModels by id, in the order of the iTwins and of the iModels in each."""
        return _IModels(self)

    @property
    def favorites(self) -> Mapping[str, ListedIds]:
        """By user name, the ids of the favorites."""
        return _Lists(self, favorites=True)

    @property
    def recents(self) -> Mapping[str, ListedIds]:
        """By user name, the ids of the recently used ones, the newest first."""
        return _Lists(self, favorites=False)

    def copy(self) -> World:
        """Return an independent copy."""
        other = World(self.seed)
        other.origin, other.made = self.origin, self.made
        other.users, other.itwins, other.tags = dict(self.users), dict(self.itwins), dict(self.tags)
        other.tables = {key: table.copy() for key, table in self.tables.items()}
        other.lists = {key: lists.copy() for key, lists in self.lists.items()}
        other.belongings = self.belongings.copy()
        other._generated, other._added = list(self._generated), dict(self._added)
        return other

    def user(self, name: str, *, id: str | None = None, email: str | None = None) -> UserRecord:  # noqa: A002 - the record's own word
        """Return the user of a name, made when new."""
        if name not in self.users:
            address = email or (name if "@" in name else f"{name}@example.com")
            self.users[name] = UserRecord(name, id or guid_of(f"user:{name}"), address)
        return self.users[name]

    def lists_of(self, name: str) -> UserLists:
        """Return the lists of a user, empty when new."""
        return self.lists.setdefault(name, UserLists())

    def put_itwin(self, record: ITwinRecord, *, front: bool = False) -> None:
        """Put an iTwin into the world, or a changed one where it was."""
        if record.id not in self.tables:
            self.tables[record.id] = Table(_no_row)
        if front and record.id not in self.itwins:
            self.itwins = {record.id: record, **self.itwins}
        else:
            self.itwins[record.id] = record

    def drop_itwin(self, itwin_id: str) -> None:
        """Remove an iTwin, its iModels and all that belongs to them."""
        for imodel in self.imodels_of(itwin_id):
            self.belongings.drop_all(imodel.id)
        self.belongings.drop_all(itwin_id)
        del self.itwins[itwin_id]
        del self.tables[itwin_id]
        self._names.pop(itwin_id, None)

    def number_taken(self, itwin: ITwinRecord) -> bool:
        """Whether another iTwin has the number."""
        others = self.itwins.values()
        return any(other.number == itwin.number and other.id != itwin.id for other in others)

    def name_taken(self, imodel: IModelRecord) -> bool:
        """Whether another iModel of the iTwin has the name."""
        names = self._names.get(imodel.itwin_id)
        if names is None:
            rows = self.imodels_of(imodel.itwin_id)
            names = self._names[imodel.itwin_id] = {row.name: row.id for row in rows}
        return names.get(imodel.name, imodel.id) != imodel.id

    def put_imodel(self, record: IModelRecord, *, front: bool = False) -> None:
        """Put an iModel into its iTwin, or a changed one where it was."""
        found = self.locate(record.id)
        if found is not None:
            self._forget_name(found)
            self._remember_name(record)
            self.tables[found[0]].replace(found[1], record)
            return
        self._remember_name(record)
        position = self.tables[record.itwin_id].add(record, front=front)
        self._added[record.id] = (record.itwin_id, position)

    def drop_imodel(self, imodel_id: str) -> None:
        """Remove an iModel and all that belongs to it."""
        self.belongings.drop_all(imodel_id)
        itwin_id, position = self._known(imodel_id)
        self._forget_name((itwin_id, position))
        self.tables[itwin_id].remove(position)

    def locate(self, imodel_id: str, *, gone: bool = False) -> tuple[str, int] | None:
        """
        Return the iTwin of an iModel and its position there.

        Args:
            imodel_id: the iModel.
            gone: whether to locate removed ones too.

        """
        found = self._added.get(imodel_id)
        if found is None and is_guid(imodel_id):
            made_for = self.guids.find(imodel_id)
            if (
                made_for is not None
                and made_for[0] == IMODEL
                and made_for[1] < len(self._generated)
            ):
                found = (self._generated[made_for[1]], made_for[2])
        if found is None or found[0] not in self.tables:
            return None
        return found if gone or self.tables[found[0]].has(found[1]) else None

    def imodel(self, imodel_id: str) -> IModelRecord | None:
        """Return the iModel of an id."""
        found = self.locate(imodel_id)
        return None if found is None else self.tables[found[0]].at(found[1])

    def history(self, imodel_id: str) -> History:
        """Return the changesets and named versions of an iModel; KeyError if it is unknown."""
        return History(self.belongings, self.imodels[imodel_id])

    def imodels_of(self, itwin_id: str) -> Rows[IModelRecord]:
        """Return the iModels of an iTwin; KeyError if it is unknown."""
        table = self.tables[itwin_id]
        return Rows(table, table.positions())

    def may_see(self, user: str, *ids: str | None) -> bool:
        """Whether none of the ids was denied to a user."""
        lists = self.lists.get(user)
        return lists is None or lists.denied.isdisjoint(ids)

    def favorites_of(self, user: str, itwin_id: str) -> Rows[IModelRecord]:
        """Return the favorite iModels of a user in an iTwin."""
        table = self.tables[itwin_id]
        lists = self.lists.get(user, UserLists())
        selection = lists.favorite_imodels.get(itwin_id, Selection())
        return Rows(table, selection.positions(table))

    def favorite_imodels(self, user: str) -> Iterator[str]:
        """Yield the ids of a user's favorite iModels in all iTwins."""
        for itwin_id in self.itwins:
            for record in self.favorites_of(user, itwin_id):
                yield record.id

    def favorite(self, user: str, entity_id: str, *, on: bool = True) -> None:
        """Make an iTwin or iModel a favorite of a user, or no longer one."""
        lists = self.lists_of(user)
        if entity_id in self.itwins:
            (lists.favorite_itwins.add if on else lists.favorite_itwins.discard)(entity_id)
            return
        itwin_id, position = self._known(entity_id)
        selection = lists.favorite_imodels.setdefault(itwin_id, Selection())
        (selection.add if on else selection.discard)(position)

    def recent(self, user: str, entity_id: str) -> None:
        """Put an iTwin or iModel in front of what a user used recently."""
        lists = self.lists_of(user)
        if entity_id in self.itwins:
            ids = lists.recent_itwins
        else:
            self._known(entity_id)
            ids = lists.recent_imodels
        if entity_id in ids:
            ids.remove(entity_id)
        ids.insert(0, entity_id)
        del ids[RECENTS_KEPT:]

    def forget_recent(self, user: str, entity_id: str) -> None:
        """Remove an iTwin or iModel from what a user used recently."""
        lists = self.lists_of(user)
        for ids in (lists.recent_itwins, lists.recent_imodels):
            if entity_id in ids:
                ids.remove(entity_id)

    def next_number(self) -> int:
        """Return a number that this world did not give before."""
        self.made += 1
        return self.made

    def new_id(self) -> str:
        """Return a GUID that this world did not give before."""
        while True:  # a world that was loaded may have numbers of an earlier run
            made = self.guids.guid(MADE, 0, self.next_number())
            known = made in self.itwins or self.locate(made) is not None
            if not known and not self.belongings.has(made):
                return made

    def _remember_name(self, imodel: IModelRecord) -> None:
        if imodel.itwin_id in self._names:
            self._names[imodel.itwin_id][imodel.name] = imodel.id

    def _forget_name(self, located: tuple[str, int]) -> None:
        itwin_id, position = located
        if itwin_id in self._names:
            self._names[itwin_id].pop(self.tables[itwin_id].at(position).name, None)

    def _known(self, imodel_id: str) -> tuple[str, int]:
        found = self.locate(imodel_id)
        if found is None:
            raise KeyError(imodel_id)
        return found


class Snapshot:
    """A world at a moment."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def world(self) -> World:
        """An independent copy of the world."""
        return self._world.copy()


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
            for record in self._world.imodels_of(itwin_id):
                yield record.id

    def __len__(self) -> int:
        return sum(len(table) for table in self._world.tables.values())


class _Lists(Mapping[str, ListedIds]):
    def __init__(self, world: World, *, favorites: bool) -> None:
        self._world = world
        self._favorites = favorites

    def __getitem__(self, user: str) -> ListedIds:
        world, lists = self._world, self._world.lists.get(user, UserLists())
        if not self._favorites:
            return ListedIds(
                _only(lists.recent_itwins, world.itwins),
                _only(lists.recent_imodels, world.imodels),
            )
        itwins = _only(world.itwins, lists.favorite_itwins)
        return ListedIds(itwins, list(world.favorite_imodels(user)))

    def __contains__(self, user: object) -> bool:
        return user in self._world.users

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._world.users))

    def __len__(self) -> int:
        return len(self._world.users)


def _only(ids: Iterable[str], known: Mapping[str, object] | set[str]) -> list[str]:
    return [entity_id for entity_id in ids if entity_id in known]


def _no_row(position: int) -> IModelRecord:
    raise KeyError(position)
