"""All commands by name; each is imported when it is called."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from itwin_async._version import __version__
from itwin_async.cli.network_options import network_options

_COMMANDS = {
    "favorites": ("personal", "Your favorite iTwins and iModels."),
    "recents": ("personal", "Your recently used iTwins and iModels; the platform keeps 25."),
    "tag": ("tag", "Tags, which organize saved views."),
    "imodels": ("named", "The iModels of an iTwin."),
    "itwins": ("named", "iTwins that you are a member of."),
    "versions": ("named", "Named versions of an iModel."),
    "views": ("named", "Saved views of an iTwin, an iModel or a group."),
    "locks": ("named", "Locks that briefcases hold."),
    "changesets": ("changesets", "Changesets of an iModel, and their files."),
    "call": ("call", "Call any operation of the platform."),
    "api": ("api", "Request any path of the platform."),
    "operations": ("operations", "List all operations."),
    "harvest": ("harvest", "Harvest many lists into a file or a database."),
    "export": ("export", "Write what was harvested as GeoJSON, CSV or JSON."),
    "map": ("export", "Draw the places in a harvest."),
    "login": ("login", "Sign in to the iTwin Platform with your browser."),
    "logout": ("login", "Delete the stored sign-in and revoke it."),
    "whoami": ("login", "Show whose credentials would be used."),
    "context": ("context", "Keep what commands are about in named profiles."),
    "doctor": ("doctor", "Check credentials, connection and membership."),
    "completion": ("completion", "Print what makes a shell complete commands."),
    "emulator": ("emulator", "Serve a local iTwin Platform with made-up data."),
}
"""Module and description of each command; importing them all takes longer than a help page may."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"itwin_async.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        commands = [
            CompletionItem(name, help=text)
            for name, (_, text) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=_Commands,
    name="itwin-async",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="itwin-async")
@network_options
def app() -> None:
    """
    Work with the iTwin Platform: every operation, iModels, iTwins, views, and bulk harvests.

    Credentials come from the environment or from a file .env; with --emulator a command uses a
    local platform with made-up data and needs none.

    \b
    Exit codes:
        0  done
        1  output not writable, a failed check, or a defect
        2  usage or configuration
        3  authentication or permission
        4  not found
        5  rate limit
        6  network or server, or a harvest that is unfinished
        7  a harvest is incomplete: some lists failed
        8  a harvest is running
      130  interrupted; 143 terminated

    What ended with 5 or 6 may be run again; after 2, 3 or 4 something has to be corrected first.
    """  # noqa: D301 - click's mark for lines to be kept


def start() -> NoReturn:
    """Run the command line; a usage error is one line on stderr, like every other error."""
    try:
        code = _invoke()
    except SystemExit:
        raise
    except BaseException as problem:  # noqa: BLE001 - every error becomes an exit code
        from itwin_async.cli.runtime import explain

        code = explain(problem)
    sys.exit(code)


def _invoke() -> int:
    try:
        code: object = app.main(prog_name="itwin-async", standalone_mode=False)
    except click.ClickException as problem:
        return _usage(problem)
    except click.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


def _usage(problem: click.ClickException) -> int:
    from itwin_async.cli.failures import USAGE, complain

    context = problem.ctx if isinstance(problem, click.UsageError) else None
    text = problem.format_message()
    if context is None:
        complain(text)
        return problem.exit_code
    if text == context.get_help():  # a group without a command
        click.echo(text, err=True)
        return USAGE
    group = context.command
    unknown = text.startswith("No such command") and "Did you mean" not in text
    if isinstance(group, click.Group) and unknown:  # newer versions of click suggest one
        word = text.split("'")[1]
        close = get_close_matches(word, group.list_commands(context), 1)
        text += f" Did you mean '{close[0]}'?" if close else ""
    complain(f"{text.removesuffix('.')} (see '{context.command_path} --help')")
    return USAGE
