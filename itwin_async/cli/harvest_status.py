"""The commands ``itwin-async harvest status``, ``check`` and ``merge``, and their exit codes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

import click
import msgspec

from itwin_async import harvest as bulk
from itwin_async.cli.failures import (
    COMPLETE,
    DEFECT,
    INCOMPLETE,
    NOT_FOUND,
    RUNNING,
    UNREACHABLE,
    USAGE,
    complain,
)
from itwin_async.cli.harvest_view import checked, described
from itwin_async.cli.runtime import run
from itwin_async.cli.stdout import write
from itwin_async.cli.storage import storage_option
from itwin_async.harvest import TargetError
from itwin_async.harvest.errors import TargetProblem
from itwin_async.harvest.status import State
from itwin_async.harvest.target import is_held, target_files

OF_STATES: dict[State, int] = {
    "complete": COMPLETE,
    "incomplete": INCOMPLETE,
    "running": RUNNING,
    "unfinished": UNREACHABLE,
}
_OF_PROBLEMS: dict[TargetProblem, int] = {
    "busy": RUNNING,
    "damaged": DEFECT,
    "full": DEFECT,
    "missing": NOT_FOUND,
    "other": USAGE,
}

EXIT_CODES = """\b
Exit codes of harvest, harvest status, check and merge:
    0  complete: everything is there
    1  failed: the disk is full, the target is damaged, or a defect
    2  a mistake: wrong usage, or the target of another harvest
    3  credentials or permission
    4  there is no such target, or the platform has no such list of lists
    5  unfinished, for the rate limit: run it again later
    6  unfinished, for an outage or an end before: run it again
    7  incomplete: finished, but lists failed (run again, it reads only those) or items were
       set aside (see harvest status)
    8  running: another harvest writes the target
  130  unfinished: interrupted; 143 terminated
"""


def run_on_target(main: Callable[[], Coroutine[object, object, int | None]]) -> None:
    """Run a coroutine as ``run`` does; what is wrong with a target has exit codes of its own."""

    async def coded() -> int | None:
        try:
            return await main()
        except TargetError as problem:
            complain(str(problem))
            return _OF_PROBLEMS[problem.kind]

    run(coded)


@click.command("status", epilog=EXIT_CODES)
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but the exit code.")
@storage_option
def status(*, target: str, as_json: bool, quiet: bool, storage: dict[str, str] | None) -> None:
    """Tell how far the harvest in TARGET is, also while it runs."""

    async def main() -> int:
        try:
            found = bulk.status(target, storage_options=storage)
        except TargetError as problem:
            if as_json and not quiet:
                write(_of_none(target, problem))
            raise
        if not quiet:
            click.echo(found.to_json() if as_json else described(found))
        return OF_STATES[found.state]

    run_on_target(main)


def _of_none(target: str, problem: TargetError) -> bytes:
    """Write the status of a target that cannot be read, so that a script finds the same members."""
    files = target_files(target)
    found = {
        "target": files.name,
        "state": problem.kind if problem.kind in {"missing", "damaged"} else "unknown",
        "finished": False,
        "complete": False,
        "running": is_held(files.lock),
        "error": str(problem),
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


@click.command("check", epilog=EXIT_CODES)
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="JSON, as that of status.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but the exit code.")
@storage_option
def check(*, target: str, as_json: bool, quiet: bool, storage: dict[str, str] | None) -> None:
    """Read TARGET whole, and tell whether everything is there that was harvested."""

    async def main() -> int:
        found = bulk.check(target, storage_options=storage)
        if not quiet:
            click.echo(found.to_json() if as_json else checked(found))
        return OF_STATES[found.state]

    run_on_target(main)


@click.command("merge", epilog=EXIT_CODES)
@click.argument("target")
@click.argument("shares", nargs=-1, required=True, metavar="SHARE...")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but the exit code.")
def merge(*, target: str, shares: tuple[str, ...], quiet: bool) -> None:
    """
    Make a new TARGET of all shares of a harvest, which were harvested with --shard.

    They stay as they are; TARGET may have another form, and is what a harvest without shares makes.
    """

    async def main() -> int:
        found = bulk.merge(target, shares)
        if not quiet:
            click.echo(described(found))
        return OF_STATES[found.state]

    run_on_target(main)
