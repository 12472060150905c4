"""
All commands by name; each is imported when it is called.
"""

from __future__ import annotations

from importlib import import_module

import click

from itwin_async._version import __version__

_COMMANDS = {
    "emulator": "itwin_async.cli.emulator",
    "export": "itwin_async.cli.harvest",
    "favorites": "itwin_async.cli.favorites",
    "harvest": "itwin_async.cli.harvest",
    "login": "itwin_async.cli.login",
    "logout": "itwin_async.cli.login",
    "map": "itwin_async.cli.harvest",
    "recents": "itwin_async.cli.recents",
    "tag": "itwin_async.cli.tag",
    "whoami": "itwin_async.cli.login",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in _COMMANDS if self.get_command(ctx, name) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        try:
            module = import_module(place)
        except ModuleNotFoundError as problem:
            if problem.name != place:
                raise
            return None
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(
    cls=_Commands,
    name="itwin-async",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="itwin-async")
def app() -> None:
    """
    Work with the iTwin Platform at a terminal: favorites, recents, tags, and bulk harvests.

    Credentials come from ITWIN_ACCESS_TOKEN (also in a .env file); with --emulator a command works
    on a local platform with made-up data and needs none.

    Exit codes: 0 done, 1 defect, 2 usage or configuration, 3 authentication or permission,
    4 not found, 5 rate limit, 6 network or server, 130 interrupted.
    """
