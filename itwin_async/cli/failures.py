"""Failures of a command: one line on stderr and an exit code."""

from __future__ import annotations

import contextlib
import os

import click

from itwin_async.cli.cells import clean
from itwin_async.errors import (
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    ITwinError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)

DEFECT, USAGE, AUTHENTICATION, NOT_FOUND, RATE_LIMIT, UNREACHABLE = 1, 2, 3, 4, 5, 6
COMPLETE, INCOMPLETE, RUNNING = 0, 7, 8  # of harvests
INTERRUPTED, TERMINATED = 130, 143


def complain(text: str) -> None:
    """Write one line to stderr."""
    name = "itwin-async:"
    if not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        name = click.style(name, fg="red", bold=True)
    with contextlib.suppress(OSError):  # without stderr, the exit code has to do
        click.echo(f"{name} {clean(text)}", err=True)


def exit_code(error: ITwinError) -> int:
    """Return the exit code for a kind of error."""
    if isinstance(error, ArgumentError | ConfigurationError | InvalidRequestError | ConflictError):
        return USAGE
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return AUTHENTICATION
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    return RATE_LIMIT if isinstance(error, RateLimitError) else UNREACHABLE
