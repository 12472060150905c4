"""What the page and the control interface show of a running emulator."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import chain, islice

from itwin_async.emulator.control.emulator import EmulatorControls
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.served import ROUTER
from itwin_async.emulator.world.state import World

_SHOWN_ITWINS = 200
_SHOWN_REQUESTS = 60
_SHOWN_USERS = 50


def world_name(emulator: EmulatorControls) -> str:
    """Name the world that it began with, which is the same at every port and after a restart."""
    origin = emulator.state.origin.encode()
    return f"emulator {hashlib.blake2b(origin, digest_size=4).hexdigest()}"


def overview(emulator: EmulatorControls, wanted: str = "") -> JsonObject:
    """Return what the web page shows, of users only those whose name has a text in it."""
    world = emulator.state
    text = wanted.casefold()
    names = [name for name in world.users if text in name.casefold()]
    shown = names[:_SHOWN_USERS]
    requests = emulator.requests[-_SHOWN_REQUESTS:]
    return {
        "now": emulator.clock.stamp(3),
        "counts": {
            "itwins": len(world.itwins),
            "imodels": len(world.imodels),
            "users": len(world.users),
            "tags": len(world.tags),
            "requests": emulator.request_count,
        },
        "operations": _operations(emulator),
        "itwins": _itwins(world, names),
        "users": [_user(world, name) for name in shown],
        "foundUsers": len(names),
        "requests": [row.json() for row in reversed(requests)],
        "faults": [entry.json() for entry in emulator.faults],
        "violations": list[Json](emulator.violations[-_SHOWN_REQUESTS:]),
    }


def _user(world: World, name: str) -> JsonObject:
    lists = world.lists_of(name)
    imodels = sum(len(world.favorites_of(name, itwin_id)) for itwin_id in lists.favorite_imodels)
    return {"name": name, "favoriteItwins": len(lists.favorite_itwins), "favoriteImodels": imodels}


def _itwins(world: World, users: list[str]) -> list[Json]:
    lists = {user: world.lists_of(user) for user in users[:_SHOWN_USERS]}
    fans = Counter(chain.from_iterable(world.lists_of(user).favorite_itwins for user in users))
    return [
        {
            "id": itwin.id,
            "displayName": itwin.display_name,
            "subClass": itwin.sub_class,
            "status": itwin.status,
            "imodels": len(world.imodels_of(itwin.id)),
            "favorites": fans[itwin.id],
            "favoriteOf": [
                user for user, of_user in lists.items() if itwin.id in of_user.favorite_itwins
            ],
            "favoriteImodels": {
                user: len(world.favorites_of(user, itwin.id))
                for user, of_user in lists.items()
                if itwin.id in of_user.favorite_imodels
            },
        }
        for itwin in list(world.itwins.values())[:_SHOWN_ITWINS]
    ]


def imodels_of(emulator: EmulatorControls, itwin_id: str, limit: int) -> JsonObject:
    """Return the first iModels of an iTwin, with whose favorites they are."""
    world = emulator.state
    imodels = world.imodels_of(itwin_id)
    rows: list[Json] = []
    for position in imodels.positions[: max(limit, 0)]:
        users: list[Json] = [
            user
            for user in world.users
            if position in world.lists_of(user).favorite_imodels.get(itwin_id, ())
        ]
        rows.append({**imodels.table.at(position).minimal(), "favoriteOf": users})
    return {"count": len(imodels), "imodels": rows}


def world_of(emulator: EmulatorControls, limit: int) -> JsonObject:
    """Return the world, with at most `limit` ids of each list."""
    world = emulator.state
    users: JsonObject = {}
    for name, user in world.users.items():
        recents, favorites = world.recents[name], world.lists_of(name).favorite_itwins
        itwins = [itwin_id for itwin_id in world.itwins if itwin_id in favorites]
        users[name] = {
            "id": user.id,
            "email": user.email,
            "favorites": {
                "itwins": list[Json](itwins[:limit]),
                "imodels": list[Json](islice(world.favorite_imodels(name), limit)),
            },
            "recents": {
                "itwins": list[Json](recents.itwins),
                "imodels": list[Json](recents.imodels),
            },
        }
    return {
        "seed": world.seed,
        "counts": {"itwins": len(world.itwins), "imodels": len(world.imodels)},
        "users": users,
        "itwins": [row.full() for row in list(world.itwins.values())[:limit]],
        "tags": [row.full("") for row in list(world.tags.values())[:limit]],
    }


def _operations(emulator: EmulatorControls) -> list[Json]:
    return [
        {
            "method": route.method,
            "path": route.path,
            "title": route.title,
            "accept": route.api.media_type,
            "calls": emulator.counts.get(str(route), 0),
        }
        for route in ROUTER.routes
    ]
