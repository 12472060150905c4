"""Fields on the command line as a JSON body or a query."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from itwin_async._arguments import shown

_NAME = re.compile(r"([^\[\]=]+)((?:\[[^\[\]=]*\])*)=(.*)", re.DOTALL)
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")

Fields = Iterable[tuple[str, bool]]
"""``NAME=VALUE`` texts, each with whether its value is a text whatever it looks like."""


def body_of(fields: Fields) -> bytes:
    """
    Write fields as one JSON object; ``a[b]=1`` is a member of ``a``, ``a[]=1`` an item of it.

    Raises:
        UsageError: one is not ``NAME=VALUE``, or two contradict each other.

    """
    body: dict[str, object] = {}
    for text, raw in fields:
        path, value = _parts(text)
        _put(body, path, value if raw else _typed(value), text)
    return msgspec.json.encode(body)


def query_of(fields: Fields) -> list[tuple[str, str]]:
    """
    Read fields as names and values of a query.

    Raises:
        UsageError: one is not ``NAME=VALUE``.

    """
    found: list[tuple[str, str]] = []
    for text, raw in fields:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise _malformed(text)
        found.append((name, value if raw or not value.startswith("@") else _file(value[1:])))
    return found


def _parts(text: str) -> tuple[list[str], str]:
    found = _NAME.fullmatch(text)
    if found is None:
        raise _malformed(text)
    return [found[1], *re.findall(r"\[([^\]]*)\]", found[2])], found[3]


def _put(body: dict[str, object], path: list[str], value: object, text: str) -> None:
    """Put a value where its path leads, and make what is missing on the way."""
    place: object = body
    for name, below in zip(path, [*path[1:], None], strict=True):
        made: object = value if below is None else [] if below == "" else {}
        if isinstance(place, list):
            if name:
                raise _unfit(text)
            # An item that is begun goes on until one of its members comes again.
            last = place[-1] if place else None
            if below and isinstance(last, dict) and below not in last:
                place = last
                continue
            place.append(made)
            place = made
        elif isinstance(place, dict) and name:
            if below is None and name in place:
                raise click.UsageError(f"{shown(text)}: it is given twice")
            place = place.setdefault(name, made)
        else:
            raise _unfit(text)


def _typed(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith("@"):
        return _file(text[1:])
    return msgspec.Raw(text.encode()) if _NUMBER.fullmatch(text) else text


def _file(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode()
    except OSError as problem:
        raise click.UsageError(f"cannot read {name}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{name} is not UTF-8 text") from None


def _unfit(text: str) -> click.UsageError:
    return click.UsageError(f"{shown(text)} does not fit the fields before it")


def _malformed(text: str) -> click.UsageError:
    return click.UsageError(f"{shown(text)} is not NAME=VALUE, such as displayName=Night")
