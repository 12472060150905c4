"""The options that choose iTwins: those of the lists of iTwins, alike in every command."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeVar, cast, get_args

import click

from itwin_async.itwins import ITwinFilters, Status, SubClass

F = TypeVar("F", bound=Callable[..., object])


class _Words(click.ParamType):  # type: ignore[type-arg]
    """One of some words, or several with commas between them, in letters of any size."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = {word.lower(): word for word in words}
        self.name = "|".join(words)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = [name.strip() for name in str(value).split(",")]
        for name in names:
            if name.lower() not in self._words:
                known = ", ".join(self._words.values())
                self.fail(f"{name!r} is not one of {known}", param, ctx)
        return tuple(self._words[name.lower()] for name in names)


def itwin_filters(command: F) -> F:
    """Give a command filters of iTwins, as ``filters: dict``, with several words of status."""

    @functools.wraps(command)
    def gather(
        *,
        include_inactive: bool,
        status: tuple[tuple[str, ...], ...],
        sub_class: tuple[tuple[str, ...], ...],
        type_: str | None,
        search: str | None,
        number: str | None,
        **others: object,
    ) -> object:
        if include_inactive and status:
            raise click.UsageError("--status and --include-inactive are mutually exclusive")
        filters = {
            "include_inactive": include_inactive or None,
            "status": tuple(dict.fromkeys(word for words in status for word in words)) or None,
            "sub_class": tuple(dict.fromkeys(word for words in sub_class for word in words))
            or None,
            "type": type_,
            "search": search,
            "number": number,
        }
        given = {name: value for name, value in filters.items() if value is not None}
        return command(filters=given, **others)

    decorated: Callable[..., object] = gather
    for option in (
        click.option("--number", metavar="TEXT", help="Only the iTwin with this number."),
        click.option("--search", metavar="TEXT", help="Only iTwins with this in number or name."),
        click.option("--type", "type_", metavar="TYPE", help="Only iTwins of this type."),
        click.option(
            "--sub-class",
            type=_Words(get_args(SubClass)),
            multiple=True,
            help="Only iTwins of this sub-class; may be repeated.",
        ),
        click.option(
            "--status",
            type=_Words(get_args(Status)),
            multiple=True,
            help="Only iTwins of this status; may be repeated.",
        ),
        click.option(
            "--include-inactive",
            is_flag=True,
            help="Inactive iTwins too; without it they are left out, as by the platform.",
        ),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[return-value]


def for_each_status(filters: dict[str, object]) -> list[ITwinFilters]:
    """Make the filters of each list; the platform takes one status at a time."""
    rest = {name: value for name, value in filters.items() if name != "status"}
    statuses = cast("tuple[Status, ...]", filters.get("status", ()))
    each = [{**rest, "status": status} for status in statuses] or [rest]
    return [cast("ITwinFilters", one) for one in each]
