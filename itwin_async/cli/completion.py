"""The command ``itwin-async completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "itwin-async"
VARIABLE = "_ITWIN_ASYNC_COMPLETE"

_SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Print what makes a shell complete commands.")
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(*, shell: str) -> None:
    """
    Print what makes a shell complete commands, options, operations and ids.

    \b
    bash  eval "$(itwin-async completion bash)"     in ~/.bashrc
    zsh   eval "$(itwin-async completion zsh)"      in ~/.zshrc, behind compinit
    fish  itwin-async completion fish > ~/.config/fish/completions/itwin-async.fish

    Ids of iTwins and iModels are those that lists have shown, kept with their names in the cache
    folder of the system; they are found by their names too.
    """  # noqa: D301 - click's mark for lines to be kept
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"this version of click does not know {shell}")
    context = click.get_current_context()
    script = found(context.find_root().command, {}, PROGRAM, VARIABLE)
    # Click's own way asks bash for its version, which a build machine may not have.
    click.echo(script.source_template % script.source_vars())
