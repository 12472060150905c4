"""Ids that are given, one by one or in a file."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import attrs

from itwin_async._arguments import invalid, text
from itwin_async._http import urls
from itwin_async.errors import ArgumentError
from itwin_async.models import Id

Ids: TypeAlias = Iterable[Id] | str | Path
"""Ids, or the name of a file that holds one a line."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the one of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@attrs.frozen
class IdFile:
    """
    What a file of ids holds.

    Attributes:
        ids: the ids in their order, each once.
        repeated: how many lines have an id that stands in an earlier one.

    """

    ids: tuple[str, ...]
    repeated: int


def digest(keys: Iterable[str]) -> str:
    """Write which keys are given, in a few characters and whatever their order."""
    known = sorted(set(keys))
    mark = hashlib.blake2b("\n".join(known).encode(), digest_size=5).hexdigest()
    return f"{len(known)} given ({mark})"


def distinct(ids: Iterable[str]) -> tuple[str, ...]:
    """Keep each id once; a GUID is one id in large and small letters, and written in small ones."""
    return tuple(dict.fromkeys(key.lower() if urls.is_guid(key) else key for key in ids))


def read_ids(name: str, ids: Ids | None) -> tuple[str, ...] | None:
    """Read ids, each once; ``name`` is the argument."""
    if ids is None:
        return None
    if isinstance(ids, str | Path):
        return read_id_file(ids, name).ids
    texts = (str(key) if isinstance(key, UUID) else key for key in ids)
    return distinct(text(name, key) for key in texts)


def read_id_file(file: str | Path, name: str) -> IdFile:
    """Read a file as ``parse_ids`` does; ``name`` is the argument."""
    try:
        data = Path(file).read_bytes()
    except (OSError, ValueError) as problem:
        raise invalid(name, str(file), f"a readable file ({problem})") from None
    return parse_ids(data, str(file), name)


def parse_ids(data: bytes, file: str, name: str) -> IdFile:
    """
    Read one id a line.

    What follows a ``#`` is a remark, and blank lines do not count. Windows programs write byte
    order marks, which stand in between where files were put one behind the other.

    Raises:
        ArgumentError: it is no text, a line is no id, or there is none.

    """
    marked = [encoding for mark, encoding in _MARKS if data.startswith(mark)]
    try:
        lines = data.decode(marked[0] if marked else "utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise ArgumentError(
            f"{name} must be a text file in UTF-8; {file} is not, see its line {line}",
            argument=name,
        ) from None
    if "\0" in lines:
        raise ArgumentError(
            f"{name} must be a text file; {file} contains NUL characters: save it as UTF-8",
            argument=name,
        )
    found = list(_ids(lines, file, name))
    if not found:
        raise ArgumentError(f"{name} must not be empty; {file} contains no id", argument=name)
    ids = distinct(found)
    return IdFile(ids, len(found) - len(ids))


def _ids(lines: str, file: str, name: str) -> Iterator[str]:
    for number, line in enumerate(lines.splitlines(), 1):
        key = line.partition("#")[0].replace("\ufeff", "").strip()
        if not key:
            continue
        if len(key.split()) > 1 or "," in key or '"' in key:
            raise ArgumentError(
                f"{name} must be a file of one id a line; line {number} of {file} is {key!r:.80}",
                argument=name,
            )
        yield key
