"""The option that says how an object store is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])


def storage_option(command: F) -> F:
    """Give a command ``--storage-option``, as ``storage: dict`` or ``None``."""
    return click.option(
        "--storage-option",
        "storage",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_parsed,
        help="How an object store is reached, such as aws_endpoint_url=URL; may be repeated. Keys "
        "are better given by the environment, since others see the words of a command.",
    )(command)


def _parsed(_: click.Context, __: click.Parameter, given: Sequence[str]) -> dict[str, str] | None:
    found = {}
    for number, word in enumerate(given, 1):
        name, equals, value = word.partition("=")
        if not name or not equals:  # the word may be a key, and is not shown
            raise click.BadParameter(f"number {number} is not NAME=VALUE")
        found[name] = value
    return found or None
