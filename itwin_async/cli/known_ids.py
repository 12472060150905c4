"""Ids with names as lists showed them, kept for completion."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import click
import msgspec
from click.shell_completion import CompletionItem

from itwin_async.cli.cells import Row, clean, json_text
from itwin_async.cli.private_files import APPLICATION, replace
from itwin_async.errors import ITwinError

_MOST = 500
_LONGEST = 100
_KINDS = {"iTwins": "itwin", "iModels": "imodel"}

_Names: TypeAlias = dict[str, str]
_Kept: TypeAlias = dict[str, dict[str, _Names]]
"""Names by id, by ``"itwin"`` or ``"imodel"``, by the address of the platform."""

Complete: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class Seen:
    """
    Ids with names that a list has shown.

    Args:
        noun: what is listed, in the plural; only iTwins and iModels are kept.

    """

    def __init__(self, noun: str) -> None:
        self._kind = _KINDS.get(noun.rpartition(" ")[2])
        self._names: _Names = {}

    def note(self, rows: Sequence[Row]) -> None:
        """Take note of rows, as long as there is room."""
        if self._kind is None:
            return
        for row in rows[: max(0, _MOST - len(self._names))]:
            entity, name = json_text(row.get("id")), json_text(row.get("displayName"))
            if entity and name:
                self._names[clean(entity)[:_LONGEST]] = clean(name)[:_LONGEST]

    def keep(self, base_url: str) -> None:
        """Write them to the cache; a cache that cannot be written is no error."""
        if self._kind is None or not self._names:
            return
        with contextlib.suppress(OSError, ITwinError):
            kept = _read()
            of_platform = kept.setdefault(base_url, {})
            before = of_platform.get(self._kind, {})
            older = {key: name for key, name in before.items() if key not in self._names}
            merged = self._names | older
            of_platform[self._kind] = dict([*merged.items()][:_MOST])
            if merged != before:
                replace(_file(), msgspec.json.encode(kept))


def completing(kind: str) -> Complete:
    """Complete ids of a kind by their beginning, or by the beginning of a word of their name."""

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return matching(kind, incomplete)

    return complete


def matching(kind: str, incomplete: str, prefix: str = "") -> list[CompletionItem]:
    """Find ids of a kind for what was typed so far; ``prefix`` is put before each."""
    typed = incomplete.casefold()
    return [
        CompletionItem(prefix + entity, help=name)
        for entity, name in _known(kind).items()
        if entity.startswith(incomplete) or f" {name.casefold()}".find(f" {typed}") >= 0
    ]


def _known(kind: str) -> Mapping[str, str]:
    from itwin_async.auth._environment import find_platform
    from itwin_async.cli.runtime import load_environment

    with contextlib.suppress(OSError, ITwinError):
        load_environment()
        return _read().get(find_platform().base_url, {}).get(kind, {})
    return {}


def _file() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path(APPLICATION, appauthor=False) / "names.json"


def _read() -> _Kept:
    try:
        return msgspec.json.decode(_file().read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
