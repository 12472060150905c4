"""The users of iModels, and the caller's permissions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import api
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.belongings import after_id
from itwin_async.emulator.platform.briefcases import application_json, briefcases_of
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.imodels import IMODELS, imodel_url, reading
from itwin_async.emulator.platform.ordering import order_by, ordered
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.platform.permissions import permissions_of
from itwin_async.emulator.world import locks
from itwin_async.emulator.world.collaboration import Application, BriefcaseRecord
from itwin_async.emulator.world.history import ChangesetRecord
from itwin_async.emulator.world.locks import HeldLock
from itwin_async.emulator.world.records import UserRecord
from itwin_async.emulator.world.state import World

_ROOT_ELEMENT = 1
_APPLICATION = s.define(
    "UserApplication",
    s.objects(
        {
            **s.each(s.TEXT_OR_NULL, "id name"),
            **s.each(s.FLAG, "ownsLocks ownsExclusiveRootElementLock"),
        }
    ),
)
_COUNTS = "pushedChangesetsCount createdVersionsCount briefcasesCount"
_STATISTICS = s.define(
    "UserStatistics",
    s.objects(
        {
            **s.each({"type": "integer"}, _COUNTS),
            "lastChangesetPushDate": s.MOMENT_OR_NULL,
            "applications": s.arrays(_APPLICATION),
        }
    ),
)
_LINKS = s.define("UserLinks", s.objects({"self": s.LINK}))
_SUMMARY_MEMBERS: JsonObject = {**s.each(s.TEXT, "id displayName"), "_links": _LINKS}
_USER = s.define(
    "User",
    s.objects(
        {
            **_SUMMARY_MEMBERS,
            **s.each(s.TEXT, "givenName surname email"),
            "statistics": _STATISTICS,
        }
    ),
)


class _Work:
    """What everybody did in an iModel, counted once."""

    def __init__(self, world: World, imodel_id: str) -> None:
        self.world = world
        self.imodel_id = imodel_id

    @cached_property
    def pushes(self) -> dict[str, tuple[int, str]]:
        """By user, how many changesets they pushed, and when the last one."""
        found: dict[str, tuple[int, str]] = {}
        for row in self.world.history(self.imodel_id).rows():
            if not row.waits:
                count, last = found.get(row.creator_id, (0, ""))
                found[row.creator_id] = count + 1, max(last, row.pushed)
        return found

    @cached_property
    def versions(self) -> Counter[str]:
        """By user, how many named versions they made."""
        return Counter(row.creator_id for row in self.world.history(self.imodel_id).versions())


@attrs.frozen
class IModelUser:
    """A user as an iModel knows them."""

    id: str
    email: str
    imodel: str
    work: _Work

    @property
    def names(self) -> tuple[str, str]:
        """First and last name, from the address."""
        first, *rest = re.split(r"[._-]+", self.email.partition("@")[0])
        return first.capitalize(), " ".join(map(str.capitalize, rest))

    def minimal(self) -> JsonObject:
        """Return the summary."""
        link: JsonObject = {"href": f"{self.imodel}/users/{self.id}"}
        return {"id": self.id, "displayName": self.email, "_links": {"self": link}}

    def full(self) -> JsonObject:
        """Return the full representation."""
        given_name, surname = self.names
        return {
            **self.minimal(),
            "givenName": given_name,
            "surname": surname,
            "email": self.email,
            "statistics": self._statistics(),
        }

    def _statistics(self) -> JsonObject:
        records = briefcases_of(self.work.world, self.work.imodel_id)
        briefcases = [record for record in records if record.owner_id == self.id]
        pushed, last = self.work.pushes.get(self.id, (0, None))
        return {
            "pushedChangesetsCount": pushed,
            "lastChangesetPushDate": last,
            "createdVersionsCount": self.work.versions[self.id],
            "briefcasesCount": len(briefcases),
            "applications": self._applications(briefcases),
        }

    def _applications(self, briefcases: Sequence[BriefcaseRecord]) -> list[Json]:
        held: dict[Application | None, list[HeldLock]] = {}
        for record in briefcases:
            rows = locks.held(self.work.world, self.work.imodel_id, int(record.id))
            held.setdefault(record.application, []).extend(rows)
        return [
            {
                **(application_json(application) or {"id": None, "name": None}),
                "ownsLocks": bool(rows),
                "ownsExclusiveRootElementLock": any(
                    row.number == _ROOT_ELEMENT and row.level == "exclusive" for row in rows
                ),
            }
            for application, rows in held.items()
        ]


def _users(call: Call) -> list[IModelUser]:
    """Return who ever connected: the creator, and all users that may see the iModel or did."""
    imodel = IMODELS.one(call)
    world, ids = call.world, {user.id: user for user in call.world.users.values()}
    ids.setdefault(
        imodel.creator_id, UserRecord("creator", imodel.creator_id, "creator@example.com")
    )
    known = {row.owner_id for row in world.belongings.of(BriefcaseRecord, imodel.id).values()}
    known |= {row.creator_id for row in world.belongings.of(ChangesetRecord, imodel.id).values()}
    url, work = imodel_url(call), _Work(world, imodel.id)
    return [
        IModelUser(user.id, user.email, url, work)
        for user in ids.values()
        if user.id in known or world.may_see(user.name, imodel.id, imodel.itwin_id)
    ]


def _list(call: Call) -> Sequence[IModelUser]:
    keys = {
        "givenName": lambda row: row.names[0],
        "surname": lambda row: row.names[1],
    }
    return ordered(call, _users(call), keys)


def _find(call: Call, user_id: str) -> IModelUser | None:
    return next((user for user in _users(call) if user.id == user_id.lower()), None)


def _none(*_: object) -> None:
    """Do nothing: users are not changed here."""


USERS = Collection[IModelUser](
    api=api.IMODELS,
    name="User",
    key="user",
    keys="users",
    schema=_USER,
    show=lambda user, _: user.full(),
    summary_schema=s.define("UserSummary", s.objects(_SUMMARY_MEMBERS)),
    summarize=IModelUser.minimal,
    find=_find,
    put=_none,
    drop=_none,
    list_failure="Cannot get Users.",
    paging=Paging(after=after_id),
    parent=IMODELS,
    id_name="userId",
)


def _permissions(call: Call) -> list[Json]:
    return list[Json](permissions_of(call, IMODELS.id_of(call)))


_PATH = "/imodels/{id}"
ROUTES = (
    USERS.list(
        f"GET {_PATH}/users",
        "Get iModel Users",
        _list,
        parameters=(order_by("givenName", "surname"),),
    ),
    USERS.get(f"GET {_PATH}/users/{{userId}}", "Get iModel User"),
    reading(
        f"GET {_PATH}/permissions",
        "Get iModel Permissions",
        "permissions",
        _permissions,
        s.arrays(s.TEXT),
    ),
)
