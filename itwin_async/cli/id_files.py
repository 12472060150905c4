"""Files of ids, which every command reads alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from itwin_async.cli.cells import clean
from itwin_async.harvest.ids import IdFile, distinct, parse_ids, read_id_file

STDIN = Path("-")

id_file = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


def ids_of_file(file: Path | None, name: str, *, quiet: bool = False) -> list[str] | None:
    """
    Read a file of ids, or standard input; outside of the event loop, which it would block.

    Raises:
        ArgumentError: it cannot be read, is no text, or has no ids.

    """
    if file is None:
        return None
    if file == STDIN:
        data = b"" if sys.stdin is None else sys.stdin.buffer.read()
        found = parse_ids(data, "standard input", name)
    else:
        found = read_id_file(file, name)
    if not quiet:
        _tell_of_repeated(found, "standard input" if file == STDIN else str(file))
    return list(found.ids)


def ids_of_arguments(given: Sequence[str], name: str, *, last: bool = False) -> list[str]:
    """
    Read ids from a command line: ``-`` stands for standard input, ``@FILE`` for those of a file.

    Args:
        given: the arguments.
        name: what they are called in messages.
        last: whether an id that comes again is kept where it stands last.

    """
    found: list[str] = []
    for each in given:
        is_file = each == "-" or each.startswith("@")
        file = Path(each.removeprefix("@")) if is_file else None
        found += ids_of_file(file, name) or [each]
    return [*distinct(found[::-1])][::-1] if last else [*distinct(found)]


def _tell_of_repeated(found: IdFile, file: str) -> None:
    if found.repeated:
        count = len(found.ids)
        words = f"{count:,} id{'s' * (count != 1)}; {found.repeated:,} repeated"
        click.echo(f"{clean(file)}: {words}", err=True)
