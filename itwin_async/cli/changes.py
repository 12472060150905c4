"""Commands that call one operation for each id they are given."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

import click

from itwin_async import bulk
from itwin_async._http.urls import segment
from itwin_async.cli.failures import complain, exit_code
from itwin_async.cli.progress import Progress
from itwin_async.cli.runtime import Options, open_session, run, session_options
from itwin_async.errors import AuthenticationError, ConfigurationError, ITwinError
from itwin_async.session import Session

Operation = Callable[[Session, str], Awaitable[None]]

_NAMES = {"itwin": "iTwin", "imodel": "iModel", "tag": "tag"}


def changing_command(
    group: click.Group,
    verb: str,
    words: str,
    changes: Mapping[str, Operation],
    *,
    done: str,
    concurrency: int = 16,
) -> None:
    """
    Add a command that takes a kind of entity and ids.

    Args:
        group: the group.
        verb: name of the command.
        words: what it does, for its help.
        changes: the operation by kind, ``"itwin"`` and ``"imodel"``.
        done: what is said on a terminal after it, such as ``"added to your favorites"``.
        concurrency: how many calls are under way at once; 1 keeps their order.

    """

    @group.command(verb, help=f"{words} An ID of - stands for ids on stdin, one a line.")
    @click.argument("kind", type=click.Choice(list(changes)), metavar="|".join(changes))
    @click.argument("ids", nargs=-1, required=True, metavar="ID...")
    @session_options
    def change(*, options: Options, kind: str, ids: tuple[str, ...]) -> None:
        change_each(options, changes[kind], kind, ids, done=done, concurrency=concurrency)


def change_each(
    options: Options,
    operation: Operation,
    kind: str,
    ids: Sequence[str],
    *,
    done: str,
    concurrency: int = 16,
) -> None:
    """
    Call an operation for each id; what fails is told, and the rest goes on.

    All ids are checked before the first call. A token that is not accepted ends it at once.

    Args:
        options: what the command was given.
        operation: the operation.
        kind: ``"itwin"``, ``"imodel"`` or ``"tag"``.
        ids: ids of entities; ``-`` stands for the lines of stdin.
        done: what is said on a terminal after it.
        concurrency: how many calls are under way at once; 1 keeps their order.

    """
    chosen = _read(ids)

    async def main() -> int:
        for each in chosen:
            segment(f"{kind}_id", each)
        progress = Progress(f"{_NAMES[kind]}s {done}", hidden=options.verbose)
        progress.start()
        try:
            async with open_session(options, (progress.observe,)) as session:
                report = await bulk.each(
                    _Guarded(operation, progress),
                    session,
                    chosen,
                    concurrency=concurrency,
                )
        finally:
            progress.stop()
        if report.done or not report.failures:
            plural = "" if report.done == 1 else "s"
            progress.say(f"{report.done:,} {_NAMES[kind]}{plural} {done}")
        return _tell(report.failures, chosen)

    run(main)


class _Guarded:
    """
    Calls the operation until the platform refuses the user; what follows fails without a call.
    """

    def __init__(self, operation: Operation, progress: Progress) -> None:
        self._operation = operation
        self._progress = progress
        self._refusal: ITwinError | None = None

    async def __call__(self, session: Session, entity_id: str) -> None:
        if self._refusal is not None:
            raise self._refusal
        try:
            await self._operation(session, entity_id)
        except (AuthenticationError, ConfigurationError) as error:
            self._refusal = error
            raise
        self._progress.count += 1


def _tell(failures: list[bulk.Failure[str]], order: list[str]) -> int:
    """
    Write a line for each failure, in the order of the ids, and give the exit code of the first.
    """
    if not failures:
        return 0
    refused = [failure.error for failure in failures if _is_refusal(failure.error)]
    place = {entity_id: number for number, entity_id in enumerate(reversed(order))}
    failures = sorted(failures, key=lambda failure: -place[failure.item])
    for failure in failures:
        if failure.error not in refused:
            complain(f"{failure.item}: {failure.error}")
    if refused:
        complain(f"{refused[0]}; {len(refused):,} of {len(order):,} not changed")
        return exit_code(refused[0])
    return exit_code(failures[0].error)


def _is_refusal(error: ITwinError) -> bool:
    return isinstance(error, AuthenticationError | ConfigurationError)


def _read(ids: Sequence[str]) -> list[str]:
    """
    Put the lines of stdin in the place of ``-``; not within the event loop, which they would block.
    """
    found: list[str] = []
    for each in ids:
        if each == "-":
            try:
                found += [line.strip() for line in sys.stdin or () if line.strip()]
            except UnicodeDecodeError:
                raise click.UsageError("stdin is not text") from None
        else:
            found.append(each)
    return found
