"""How a failure looks to a person and to a script: one line on stderr and an exit code."""

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
INTERRUPTED, TERMINATED = 130, 143


def complain(text: str) -> None:
    """
    Write one line to stderr.

    Args:
        text: what went wrong.

    """
    name = "itwin-async:"
    if not os.environ.get("NO_COLOR"):
        name = click.style(name, fg="red", bold=True)
    with contextlib.suppress(OSError):  # nobody reads it, and the exit code still tells
        click.echo(f"{name} {clean(text)}", err=True)


def exit_code(error: ITwinError) -> int:
    """
    Give the exit code that tells a script what kind of error it was.

    Args:
        error: what went wrong.

    Returns:
        2 usage, configuration or a request that is refused, 3 authentication or permission, 4 not
        found, 5 rate limit, 6 network or server.

    """
    if isinstance(error, ArgumentError | ConfigurationError | InvalidRequestError | ConflictError):
        return USAGE
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return AUTHENTICATION
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    return RATE_LIMIT if isinstance(error, RateLimitError) else UNREACHABLE
