"""The options of how the network is reached, alike before and behind a command's name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])

_VARIABLES = {"proxy": ("HTTPS_PROXY", "https_proxy"), "ca_file": ("ITWIN_CA_FILE",)}


def _set(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    del context
    for name in _VARIABLES[str(parameter.name)] if value else ():
        os.environ[name] = str(value)


def network_options(command: F) -> F:
    """Give a command the options of how the network is reached; they set the environment."""
    decorated: Callable[..., object] = command
    for option in (
        click.option(
            "--ca-file",
            metavar="FILE",
            expose_value=False,
            callback=_set,
            help="Trust these certificates (PEM) beside the system's; also ITWIN_CA_FILE.",
        ),
        click.option(
            "--proxy",
            metavar="URL",
            expose_value=False,
            callback=_set,
            help="HTTP proxy; also HTTPS_PROXY.",
        ),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[return-value]
