"""
The command ``itwin-async emulator``.
"""

from __future__ import annotations

import sys

import click

from itwin_async.emulator.serve import main as serve


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    help="Serve a local iTwin Platform with made-up data; --help tells its options.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def emulator(arguments: tuple[str, ...]) -> None:
    """
    Hand everything on to the emulator's own command.
    """
    sys.exit(serve(arguments))
