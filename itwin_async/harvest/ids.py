"""Ids that are given, one by one or in a file."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from itwin_async._arguments import invalid, text
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


def digest(keys: Iterable[str]) -> str:
    """Write which keys are given, in a few characters and whatever their order."""
    known = sorted(set(keys))
    mark = hashlib.blake2b("\n".join(known).encode(), digest_size=5).hexdigest()
    return f"{len(known)} given ({mark})"


def read_ids(name: str, ids: Ids | None) -> tuple[str, ...] | None:
    """Read ids, each once; ``name`` is the argument."""
    if ids is None:
        return None
    if isinstance(ids, str | Path):
        try:
            data = Path(ids).read_bytes()
        except (OSError, ValueError) as problem:
            raise invalid(name, str(ids), f"a readable file ({problem})") from None
        ids = parse_ids(data, str(ids), name)
    texts = (str(key) if isinstance(key, UUID) else key for key in ids)
    return tuple(dict.fromkeys(text(name, key) for key in texts))


def parse_ids(data: bytes, file: str, name: str = "itwin_ids") -> list[str]:
    """
    Read one id a line; what follows a ``#`` is a remark. Windows programs write byte order marks.

    Raises:
        ArgumentError: it is no text.

    """
    marked = [encoding for mark, encoding in _MARKS if data.startswith(mark)]
    try:
        lines = data.decode(marked[0] if marked else "utf-8")
    except UnicodeDecodeError as problem:
        raise invalid(name, file, f"a readable file ({problem})") from None
    if "\0" in lines:
        raise ArgumentError(
            f"{name} must be a text file; {file} contains NUL characters: save it as UTF-8",
            argument=name,
        )
    ids = (line.partition("#")[0].strip() for line in lines.splitlines())
    return [key for key in ids if key]
