"""Commands that call one operation for each id they are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import click
from click.shell_completion import CompletionItem

from itwin_async import bulk
from itwin_async._http.urls import segment
from itwin_async.cli.failures import complain, exit_code
from itwin_async.cli.id_files import ids_of_arguments
from itwin_async.cli.known_ids import matching
from itwin_async.cli.progress import Progress
from itwin_async.cli.runtime import Options, open_session, or_exit, run, session_options
from itwin_async.errors import AuthenticationError, ConfigurationError, ITwinError
from itwin_async.session import Session

Change = Callable[[Session, str], Awaitable[None]]

ID_HELP = "An ID of - stands for ids on stdin, @FILE for those in a file, one a line."
_NOUNS = {"itwin": "iTwin", "imodel": "iModel", "tag": "tag"}


def changing_command(
    group: click.Group,
    name: str,
    description: str,
    changes: Mapping[str, Change],
    *,
    done: str,
    concurrency: int = 16,
) -> None:
    """Add a command that takes a kind of entity and ids; see ``change_each``."""

    @group.command(name, help=f"{description} {ID_HELP}")
    @click.argument("kind", type=click.Choice(list(changes)), metavar="|".join(changes))
    @click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=_complete_ids)
    @session_options
    def change(*, options: Options, kind: str, ids: tuple[str, ...]) -> None:
        change_each(options, changes[kind], kind, ids, done=done, concurrency=concurrency)


def _complete_ids(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return matching(str(context.params.get("kind")), incomplete)


def change_each(
    options: Options,
    change: Change,
    kind: str,
    ids: Sequence[str],
    *,
    done: str,
    concurrency: int = 16,
) -> None:
    """
    Call an operation for each id; a call that fails is reported, and the others go on.

    All ids are checked before the first call. A token that is not accepted ends it at once.

    Args:
        options: what the command was given.
        change: the operation.
        kind: ``"itwin"``, ``"imodel"`` or ``"tag"``.
        ids: ids of entities; ``-`` stands for the lines of stdin, ``@FILE`` for those of a file.
        done: the closing remark, such as ``"added to your favorites"``.
        concurrency: how many calls are under way at once; 1 keeps their order.

    """
    chosen = or_exit(lambda: ids_of_arguments(ids, f"{kind}_ids", last=concurrency == 1))

    async def main() -> int:
        for each in chosen:
            segment(f"{kind}_id", each)
        noun = _NOUNS[kind]
        progress = Progress(f"{noun}s {done}", hidden=options.verbose)
        progress.start()
        try:
            async with open_session(options, (progress.observe,)) as session:
                call = _UntilDenied(change, progress)
                report = await bulk.each(call, session, chosen, concurrency=concurrency)
        finally:
            progress.stop()
        if report.done or not report.failures:
            plural = "" if report.done == 1 else "s"
            progress.say(f"{report.done:,} {noun}{plural} {done}")
        return _report(report.failures, chosen)

    run(main)


class _UntilDenied:
    """Calls the operation until the user is denied; what follows fails without a call."""

    def __init__(self, change: Change, progress: Progress) -> None:
        self._change = change
        self._progress = progress
        self._denial: ITwinError | None = None

    async def __call__(self, session: Session, entity_id: str) -> None:
        if self._denial is not None:
            raise self._denial
        try:
            await self._change(session, entity_id)
        except (AuthenticationError, ConfigurationError) as error:
            self._denial = error
            raise
        self._progress.count += 1


def _report(failures: list[bulk.Failure[str]], order: list[str]) -> int:
    """Write a line for each failure in the order of the ids; return the first one's exit code."""
    if not failures:
        return 0
    positions = {entity_id: number for number, entity_id in reversed([*enumerate(order)])}
    failures = sorted(failures, key=lambda failure: positions[failure.item])
    denials: list[ITwinError] = []
    for failure in failures:
        if isinstance(failure.error, AuthenticationError | ConfigurationError):
            denials.append(failure.error)
        else:
            complain(f"{failure.item}: {failure.error}")
    if denials:
        complain(f"{denials[0]}; {len(denials):,} of {len(order):,} not changed")
        return exit_code(denials[0])
    return exit_code(failures[0].error)
