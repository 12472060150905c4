"""What a target must hold, and what it holds."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from itwin_async import harvest
from itwin_async.emulator import Emulator, EmulatorThread

TARGETS = ["out.db", "out.sqlite", "out.ndjson", "out.ndjson.gz", "out.ndjson.zst", "out.parquet"]
NEEDS = {"out.ndjson.zst": "zstandard", "out.parquet": "pyarrow", "out.delta": "deltalake"}

Pairs = list[tuple[str, str]]


def expected(emulator: Emulator | EmulatorThread, user: str = "demo") -> Pairs:
    """iTwin and iModel of every favorite iModel of every favorite iTwin that is not inactive."""
    state = emulator.state
    favorites = state.favorites[user].itwins
    wanted = {key for key in favorites if state.itwins[key].status != "Inactive"}
    models = (state.imodels[key] for key in state.favorites[user].imodels)
    return sorted((model.itwin_id, model.id) for model in models if model.itwin_id in wanted)


def found(target: Path) -> Pairs:
    """The same of a target, as the package reads it."""
    return sorted((key, item.id) for key, item in harvest.read(target))


def lines(target: Path) -> Iterator[dict[str, object]]:
    """The same of a file, as a stranger reads it: lists and whole items."""
    if target.suffix == ".parquet":
        import pyarrow.dataset as ds

        for row in ds.dataset(target).to_table(columns=["list", "json"]).to_pylist():
            yield {"list": row["list"], "item": json.loads(row["json"])}
    elif target.suffix in {".db", ".sqlite"}:
        with closing(sqlite3.connect(target)) as database:
            for key, text in database.execute("SELECT list, json FROM favorite_imodels"):
                yield {"list": key, "item": json.loads(text)}
    else:
        whole, _, rest = _text(target).rpartition("\n")
        assert not rest
        yield from map(json.loads, whole.split("\n") if whole else ())


def _text(target: Path) -> str:
    if target.suffix == ".gz":
        return gzip.decompress(target.read_bytes()).decode()
    if target.suffix == ".zst":
        import zstandard

        with target.open("rb") as file:
            stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            return stream.read().decode()
    return target.read_text()
