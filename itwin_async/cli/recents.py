"""The commands ``itwin-async recents ...``."""

from __future__ import annotations

import click

from itwin_async import imodels, itwins
from itwin_async.cli.changes import changing_command
from itwin_async.cli.personal import listing_commands


@click.group(help="Your recently used iTwins and iModels; the platform keeps 25.")
def recents() -> None:
    """Group the commands."""


listing_commands(recents, "recents")
changing_command(
    recents,
    "add",
    "Put iTwins or iModels at the front of your recently used ones; the last comes first.",
    {"itwin": itwins.add_recent, "imodel": imodels.add_recent},
    done="added to your recently used ones",
    concurrency=1,
)
changing_command(
    recents,
    "remove",
    "Remove iModels from your recently used ones; the platform cannot remove iTwins.",
    {"imodel": imodels.remove_recent},
    done="removed from your recently used ones",
)
