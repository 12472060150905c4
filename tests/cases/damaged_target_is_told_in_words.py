"""
"Every exception is an ITwinError": also where a target is damaged (a disk, a bad copy, git's line endings).

Right: harvest.read, status and export_geojson raise TargetError. Wrong: errors of zlib, gzip, zstandard,
pyarrow, sqlite3, msgspec and json, which no caller expects.
"""

import asyncio
import pathlib
import tempfile

from platform_by_bytes import Server, http, wrong

from itwin_async import ITwinError, Session, harvest

ITWIN = "ad0ba809-9241-48ad-9eb0-c8038c1a1d51"
ITEMS = [
    {
        "id": f"{n}",
        "displayName": "x" * 200,
        "extent": {
            "southWest": {"latitude": 1, "longitude": 2},
            "northEast": {"latitude": 3, "longitude": 4},
        },
    }
    for n in range(300)
]


def middle(data):
    return data[: len(data) // 2] + bytes(64) + data[len(data) // 2 + 64 :]


def half(data):
    return data[: len(data) // 2]


async def main():
    bad, tried = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for ending, part in {
            "db": "",
            "ndjson": "",
            "ndjson.gz": "",
            "ndjson.zst": "",
            "parquet": "/part-*.parquet",
        }.items():
            target = f"{folder}/a.{ending}"
            async with Server(lambda *_: http({"iModels": ITEMS, "_links": {}})) as server:
                async with Session("a-token-of-a-test", base_url=server.url) as session:
                    source = harvest.favorite_imodels([ITWIN]).full()
                    await harvest.run(session, source, target)
            file = pathlib.Path(target)
            if part:
                (file,) = file.glob(part[1:])
            whole = file.read_bytes()
            for damage in (middle, half):
                file.write_bytes(damage(whole))
                for what, look in {
                    "read": lambda: list(harvest.read(target)),
                    "status": lambda: harvest.status(target),
                    "export_geojson": lambda: harvest.export_geojson(target, f"{folder}/a.geojson"),
                }.items():
                    tried += 1
                    try:
                        look()
                    except ITwinError:
                        pass
                    except Exception as problem:
                        kind = f"{type(problem).__module__}.{type(problem).__qualname__}"
                        bad.append(f"{what} of .{ending}: {kind}")
    if bad:
        kinds = sorted({text.rpartition(": ")[2] for text in bad})
        wrong(f"{len(bad)} of {tried} looks raise foreign errors: {', '.join(kinds)}")


asyncio.run(main())
