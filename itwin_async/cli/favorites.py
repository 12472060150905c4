"""The commands ``itwin-async favorites ...``."""

from __future__ import annotations

import click

from itwin_async import imodels, itwins
from itwin_async.cli.changes import changing_command
from itwin_async.cli.personal import listing_commands


@click.group(help="Your favorite iTwins and iModels.")
def favorites() -> None:
    """Group the commands."""


listing_commands(favorites, "favorites")
changing_command(
    favorites,
    "add",
    "Add iTwins or iModels to your favorites.",
    {"itwin": itwins.add_favorite, "imodel": imodels.add_favorite},
    done="added to your favorites",
)
changing_command(
    favorites,
    "remove",
    "Remove iTwins or iModels from your favorites.",
    {"itwin": itwins.remove_favorite, "imodel": imodels.remove_favorite},
    done="removed from your favorites",
)
