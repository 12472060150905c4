"""What the web page and the control interface show of a running emulator."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.routes import ROUTES

if TYPE_CHECKING:
    from itwin_async.emulator.control.emulator import EmulatorControls
    from itwin_async.emulator.world.state import World

_SHOWN_ITWINS = 200
_SHOWN_REQUESTS = 60


def overview(emulator: EmulatorControls) -> JsonObject:
    """Return what the web page shows."""
    world = emulator.state
    itwins: list[Json] = []
    for itwin in list(world.itwins.values())[:_SHOWN_ITWINS]:
        shelf = world.shelves[itwin.id]
        itwins.append(
            {
                "id": itwin.id,
                "displayName": itwin.display_name,
                "subClass": itwin.sub_class,
                "status": itwin.status,
                "imodels": len(shelf),
                "favoriteOf": list[Json](_itwin_fans(world, itwin.id)),
                "favoriteImodels": {
                    user: len(marks[itwin.id].positions(shelf))
                    for user in world.users
                    if itwin.id in (marks := world.lists_of(user).favorite_imodels)
                },
            }
        )
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
        "itwins": itwins,
        "requests": [row.json() for row in reversed(requests)],
        "faults": [entry.json() for entry in emulator.faults],
        "violations": list[Json](emulator.violations[-_SHOWN_REQUESTS:]),
    }


def imodels_of(emulator: EmulatorControls, itwin_id: str, limit: int) -> JsonObject:
    """
    Return the first iModels of an iTwin, with those who favor them.

    Raises:
        KeyError: there is no such iTwin.

    """
    world = emulator.state
    shelf = world.shelves[itwin_id]
    rows: list[Json] = []
    for position in shelf.positions()[: max(limit, 0)]:
        fans: list[Json] = [
            user
            for user in world.users
            if position in world.lists_of(user).favorite_imodels.get(itwin_id, ())
        ]
        rows.append({**shelf.at(position).minimal(), "favoriteOf": fans})
    return {"count": len(shelf), "imodels": rows}


def world_of(emulator: EmulatorControls, limit: int) -> JsonObject:
    """
    Return the world as far as a test wants to see it.

    Args:
        emulator: whose world.
        limit: how many ids at most of each list.

    """
    world = emulator.state
    users: JsonObject = {}
    for name, user in world.users.items():
        recents, favored = world.recents[name], world.lists_of(name).favorite_itwins
        itwins = [itwin_id for itwin_id in world.itwins if itwin_id in favored]
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
            "path": route.pattern,
            "title": route.title,
            "accept": route.media_type,
            "calls": emulator.counts.get(f"{route.method} {route.pattern}", 0),
        }
        for route in ROUTES
    ]


def _itwin_fans(world: World, itwin_id: str) -> list[str]:
    return [user for user in world.users if itwin_id in world.lists_of(user).favorite_itwins]
