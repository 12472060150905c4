"""A world from a seed: the same names, numbers and dates on every machine."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from itwin_async.emulator.clock import stamp
from itwin_async.emulator.world.ids import GuidGenerator
from itwin_async.emulator.world.records import Extent, IModelRecord, ITwinRecord

ACCOUNT, ITWIN, IMODEL, USER, MADE = range(5)

_PLACES = (
    "Harbour", "Northgate", "Millbrook", "Kestrel Bay", "Lindenhof", "Saint-Aubin", "Øresund",
    "Quarry Hill", "Redwood", "Silver Creek", "Tamarind", "Union Street", "Verdigris", "Westfield",
    "Yarrow", "Zürichberg", "Ashford", "Birchwood", "Canal Side", "Downs End",
)  # fmt: skip
_WORKS = (
    ("Endeavor", "Project", "Bridge", "Bridge"),
    ("Thing", "Asset", "Tunnel", None),
    ("Endeavor", "Project", "Metro Line", "Rail"),
    ("Thing", "Asset", "Water Works", "Water Treatment"),
    ("Endeavor", "Program", "Road Programme", "Highway"),
    ("Thing", "Portfolio", "Campus", None),
    ("Endeavor", "Project", "Substation", "Power"),
    ("Endeavor", "WorkPackage", "Drainage Package", None),
    ("Thing", "Asset", "Airport", "Airport"),
)
_PARTS = (
    "Structure", "Survey", "Drainage", "Alignment", "Utilities", "Terrain", "Architecture",
    "Electrical", "Foundations", "Signage", "Landscape", "Reality Mesh",
)  # fmt: skip
_CENTRES = ("East US", "North Europe", "UK South", "Australia East", "Japan East")
_ZONES = ("America/New_York", "Europe/Dublin", "Europe/London", "Australia/Sydney", "Asia/Tokyo")
_TOWNS = ("Philadelphia", "Dublin", "London", "Sydney", "Tokyo")
CHANGESET_STEP = timedelta(hours=1)
EPOCH = datetime(2016, 1, 18, 6, 33, 58, tzinfo=UTC)
_INACTIVE_EVERY = 6
_POOL = 1021


def check_sizes(itwins: int, imodels: int, changesets: int, named_versions: int) -> None:
    """Raise ValueError unless a world can have so many."""
    sizes: dict[str, object] = {
        "itwins": itwins,
        "imodels": imodels,
        "changesets": changesets,
        "named_versions": named_versions,
    }
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ValueError(f"{name} must be a non-negative integer, not {size!r}")
    if named_versions > changesets:
        raise ValueError(
            f"named_versions must not exceed changesets ({changesets}), not {named_versions}"
        )


def check_share(favorites: object) -> None:
    """Raise ValueError unless it says which entities are favorites."""
    highest = 1 if isinstance(favorites, float) else math.inf
    if not isinstance(favorites, (int, float)) or not 0 <= favorites <= highest:
        raise ValueError(
            "favorites must be a bool, a float from 0.0 to 1.0 or a non-negative integer, "
            f"not {favorites!r}"
        )


def share(count: int, favorites: float | bool) -> int:
    """Return how many of so many are favorites."""
    if favorites is True:
        return count
    if isinstance(favorites, float):
        return round(count * favorites)
    return min(count, int(favorites))


def itwin_rows(seed: int, guids: GuidGenerator, count: int) -> Iterator[ITwinRecord]:
    """Yield generated iTwins; equal seeds give equal rows."""
    source = random.Random(seed)  # noqa: S311 - test data, and the same everywhere
    account = guids.guid(ACCOUNT, 0)
    for row in range(count):
        place = _PLACES[row % len(_PLACES)]
        class_, sub_class, work, kind = _WORKS[row % len(_WORKS)]
        lap = row // len(_PLACES)
        centre = source.getrandbits(8) % len(_CENTRES)
        located = row % 3 != 2  # noqa: PLR2004 - every third one has no place
        created = EPOCH + timedelta(hours=row * 7, microseconds=source.getrandbits(19))
        status = "Active"
        if row % _INACTIVE_EVERY == _INACTIVE_EVERY - 1:
            status = "Inactive"
        elif row % 10 == 7:  # noqa: PLR2004 - one in ten
            status = "Trial"
        latitude, longitude = _point(source)
        yield ITwinRecord(
            id=guids.guid(ITWIN, row),
            display_name=f"{place} {work}" + (f" {lap + 1}" if lap else ""),
            class_=class_,
            sub_class=sub_class,
            type=kind,
            number=f"{place[:2].upper()}-{2016 + row % 11}-{row + 1:05d}",
            status=status,
            geographic_location=_TOWNS[centre] if located else None,
            latitude=latitude if located else None,
            longitude=longitude if located else None,
            iana_time_zone=_ZONES[centre] if located else None,
            data_center_location=_CENTRES[centre],
            parent_id=account,
            account_id=account,
            created=stamp(created, 3 if row % 2 else 7),
            created_by=guids.guid(USER, 0, row % 5),
            modified=stamp(created + timedelta(days=40), 3) if located else None,
            modified_by=guids.guid(USER, 0, row % 3) if located else None,
        )


def imodel_maker(
    guids: GuidGenerator, group: int, itwin: ITwinRecord, changesets: int = 0
) -> Callable[[int], IModelRecord]:
    """Return what builds the generated iModels of an iTwin, each from its position alone."""
    centre, itwin_id, title = itwin.data_center_location, itwin.id, itwin.display_name
    creators = [guids.guid(USER, 0, row) for row in range(5)]
    moments, extents = _moments(changesets), _extents()

    def make(row: int) -> IModelRecord:
        number = guids.number(IMODEL, group, row)
        part = _PARTS[row % len(_PARTS)]
        created, changed = moments[number % _POOL]
        return IModelRecord(
            id=guids.spell(number),
            itwin_id=itwin_id,
            name=f"{title} - {part} {row // len(_PARTS) + 1}",
            description=(None, "", f"{part} model, stage {row % 7}")[row % 3],
            data_center_location=centre,
            created=created,
            last_changeset=changed if row % 2 or changesets else None,
            creator_id=creators[row % 5],
            is_secured=row % 9 == 0,
            extent=None if row % 4 == 3 else extents[number % _POOL],  # noqa: PLR2004 - every fourth
            containers_enabled=row % 5 % 3,
        )

    return make


@cache
def _moments(changesets: int) -> list[tuple[str, str]]:
    source = random.Random(_POOL)  # noqa: S311 - test data, and the same everywhere
    found: list[tuple[str, str]] = []
    for _ in range(_POOL):
        minutes, milliseconds = source.getrandbits(22), source.getrandbits(10)
        created = EPOCH + timedelta(minutes=minutes, milliseconds=milliseconds)
        since = changesets * CHANGESET_STEP if changesets else timedelta(days=3)
        found.append((stamp(created), stamp(created + since)))
    return found


@cache
def _extents() -> list[Extent]:
    source = random.Random(_POOL)  # noqa: S311 - test data, and the same everywhere
    found: list[Extent] = []
    for _ in range(_POOL):
        south, west = _point(source)
        found.append(Extent(south, west, round(south + 0.125, 4), round(west + 0.25, 4)))
    return found


def _point(source: random.Random) -> tuple[float, float]:
    latitude = source.getrandbits(17) / (1 << 17) * 140 - 70
    longitude = source.getrandbits(17) / (1 << 17) * 340 - 170
    return round(latitude, 4), round(longitude, 4)
