"""All commands by name; each is imported when it is called."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

import click

from itwin_async._version import __version__
from itwin_async.cli.failures import USAGE, complain
from itwin_async.cli.runtime import explain

_COMMANDS = {
    "favorites": "itwin_async.cli.personal",
    "recents": "itwin_async.cli.personal",
    "tag": "itwin_async.cli.tag",
    "imodels": "itwin_async.cli.named",
    "itwins": "itwin_async.cli.named",
    "versions": "itwin_async.cli.named",
    "views": "itwin_async.cli.named",
    "locks": "itwin_async.cli.named",
    "changesets": "itwin_async.cli.changesets",
    "call": "itwin_async.cli.call",
    "operations": "itwin_async.cli.operations",
    "harvest": "itwin_async.cli.harvest",
    "export": "itwin_async.cli.harvest",
    "map": "itwin_async.cli.harvest",
    "login": "itwin_async.cli.login",
    "logout": "itwin_async.cli.login",
    "whoami": "itwin_async.cli.login",
    "emulator": "itwin_async.cli.emulator",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(
    cls=_Commands,
    name="itwin-async",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="itwin-async")
@click.option("--proxy", metavar="URL", help="HTTP proxy of every command; also HTTPS_PROXY.")
@click.option(
    "--ca-file",
    metavar="FILE",
    help="Trust these certificates (PEM) beside the system's; also ITWIN_CA_FILE.",
)
def app(proxy: str | None, ca_file: str | None) -> None:
    """
    Work with the iTwin Platform: every operation, iModels, iTwins, views, and bulk harvests.

    Credentials come from the environment or from a file .env; with --emulator a command uses a
    local platform with made-up data and needs none.

    \b
    Exit codes:
      0  done                                4  not found
      1  output not writable, or a defect    5  rate limit
      2  usage or configuration              6  network or server
      3  authentication or permission      130  interrupted
    """  # noqa: D301 - click's mark for lines to be kept
    given = {"HTTPS_PROXY": proxy, "https_proxy": proxy, "ITWIN_CA_FILE": ca_file}
    os.environ.update({name: value for name, value in given.items() if value})


def start() -> NoReturn:
    """Run the command line; a usage error is one line on stderr, like every other error."""
    try:
        code = _invoke()
    except BaseException as problem:  # noqa: BLE001 - every error becomes an exit code
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
