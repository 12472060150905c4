"""What the canned server answers: pages that look like the platform's, made once."""

from __future__ import annotations

import json
import random
import uuid
from functools import partial

from benchmarks.plan import ITWIN_ID, Script

_HOST = "https://api.bentley.com"
_NATIVE: dict[Script, str] = {
    "latin": "",
    "cyrillic": "Мост через реку ",
    "cjk": "横浜港大橋 ",
    "emoji": "🌉🏗️ ",
}
_PLACES = ("Harbour", "North", "Sun City", "Power Town", "Metro", "Orrery", "Grüne Linie")
_THINGS = ("Bridge", "Tunnel", "Processing Plant", "Depot", "Station", "Interchange")
_REGIONS = ("East US", "North Europe", "Japan East", "UK South", "Australia East")
_PHASES = ("concept", "preliminary", "detailed", "as-built")


def imodels(count: int, *, full: bool, script: Script = "latin") -> bytes:
    """
    Write the items of a page of iModels.

    Args:
        count: how many.
        full: whole or minimal.
        script: script of the names, beside Latin.

    Returns:
        A JSON list without its closing bracket.
    """
    return _written(count, partial(_imodel, full=full, native=_NATIVE[script]))


def itwins(count: int, *, full: bool, script: Script = "latin") -> bytes:
    """
    Write the items of a page of iTwins.

    Args:
        count: how many.
        full: whole or minimal.
        script: script of the names, beside Latin.

    Returns:
        A JSON list without its closing bracket.
    """
    return _written(count, partial(_itwin, full=full, native=_NATIVE[script]))


def _written(count: int, make: partial[dict[str, object]]) -> bytes:
    chance = random.Random(6)  # the same page in every run
    items = [make(chance, index) for index in range(count)]
    return json.dumps(items, separators=(",", ":"), ensure_ascii=False).encode()[:-1]


def _imodel(chance: random.Random, index: int, *, full: bool, native: str) -> dict[str, object]:
    key = _guid(chance)
    name = f"{native}{chance.choice(_PLACES)} {chance.choice(_THINGS)} {index}"
    region = chance.choice(_REGIONS)
    summary: dict[str, object] = {"id": key, "displayName": name, "dataCenterLocation": region}
    if not full:
        return summary
    own = f"{_HOST}/imodels/{key}"
    south, west = chance.uniform(-60, 60), chance.uniform(-170, 170)
    return summary | {
        "name": name,
        "description": f"The {chance.choice(_PHASES)} model of {name}, alignment and structures",
        "state": "initialized",
        "createdDateTime": _moment(chance, 7),
        "lastChangesetPushDateTime": _moment(chance, 7),
        "iTwinId": ITWIN_ID,
        "isSecured": chance.random() < 0.2,
        "extent": {
            "southWest": {"latitude": south, "longitude": west},
            "northEast": {"latitude": south + 0.013, "longitude": west + 0.021},
        },
        "containersEnabled": 0,
        "_links": {
            "creator": {"href": f"{own}/users/{_guid(chance)}"},
            "changesets": {"href": f"{own}/changesets"},
            "namedVersions": {"href": f"{own}/namedversions"},
        },
    }


def _itwin(chance: random.Random, index: int, *, full: bool, native: str) -> dict[str, object]:
    summary: dict[str, object] = {
        "id": _guid(chance),
        "class": "Endeavor",
        "subClass": "Project",
        "type": chance.choice(_THINGS),
        "number": f"N-{index:06}",
        "displayName": f"{native}{chance.choice(_PLACES)} {chance.choice(_THINGS)} {index}",
    }
    if not full:
        return summary
    return summary | {
        "geographicLocation": f"{chance.choice(_PLACES)} 12, Level {index}",
        "latitude": chance.uniform(-60, 60),
        "longitude": chance.uniform(-170, 170),
        "ianaTimeZone": "Europe/Berlin",
        "dataCenterLocation": chance.choice(_REGIONS),
        "status": "Active",
        "parentId": _guid(chance),
        "iTwinAccountId": _guid(chance),
        "imageName": None,
        "image": None,
        "createdDateTime": _moment(chance, 3),
        "createdBy": _guid(chance),
        "lastModifiedDateTime": _moment(chance, 7),
        "lastModifiedBy": _guid(chance),
    }


def _guid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _moment(chance: random.Random, digits: int) -> str:
    day, second = chance.randint(10, 28), chance.randint(10, 59)
    fraction = str(chance.randrange(10**digits)).zfill(digits)
    return (
        f"202{chance.randint(0, 6)}-0{chance.randint(1, 9)}-{day}T10:{second}:{second}.{fraction}Z"
    )
