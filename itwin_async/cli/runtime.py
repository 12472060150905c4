"""
How a command runs: a session from options and environment, errors as one line and an exit code.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import attrs
import click
from dotenv import load_dotenv

from itwin_async.errors import (
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    ITwinError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from itwin_async.events import Observer
from itwin_async.quota import Quota
from itwin_async.session import Session

F = TypeVar("F", bound=Callable[..., object])

USAGE, AUTHENTICATION, NOT_FOUND, RATE_LIMIT, UNREACHABLE, INTERRUPTED = 2, 3, 4, 5, 6, 130


@attrs.frozen
class Options:
    """
    What every command that talks to a platform takes.
    """

    emulator: bool
    base_url: str | None
    quota: Quota | None
    verbose: bool


class _QuotaType(click.ParamType):  # type: ignore[type-arg]
    name = "calls/seconds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Quota:
        if isinstance(value, Quota):
            return value
        calls, _, seconds = str(value).partition("/")
        try:
            return Quota(int(calls), per_seconds=float(seconds or 60))
        except ValueError:
            self.fail("give calls and seconds, such as 500/60", param, ctx)


def session_options(command: F) -> F:
    """
    Give a command the options from which ``open_session`` makes a session, as ``options``.

    Args:
        command: the command's function; takes ``options: Options`` beside its own parameters.

    Returns:
        The decorated function.

    """

    def gather(
        *,
        emulator: bool,
        base_url: str | None,
        quota: Quota | None,
        verbose: bool,
        **others: object,
    ) -> object:
        return command(options=Options(emulator, base_url, quota, verbose), **others)

    gather.__name__, gather.__doc__ = command.__name__, command.__doc__
    gather.__dict__.update(command.__dict__)
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Log every request to stderr."),
        click.option("--quota", type=_QuotaType(), help="Pace all calls, such as 500/60."),
        click.option("--base-url", metavar="URL", help="Platform to ask; also ITWIN_BASE_URL."),
        click.option("--emulator", is_flag=True, help="Ask a local platform with made-up data."),
    ):
        gather = option(gather)
    return gather  # type: ignore[return-value]


@asynccontextmanager
async def open_session(
    options: Options, observers: tuple[Observer, ...] = ()
) -> AsyncIterator[Session]:
    """
    Open the session that the options ask for.

    Args:
        options: what the command was given.
        observers: told of every request and wait.

    Yields:
        The session.

    Raises:
        ConfigurationError: there are no credentials.

    """
    if options.verbose:
        logging.basicConfig(stream=sys.stderr, format="%(message)s")
        logging.getLogger("itwin_async").setLevel(logging.DEBUG)
    if options.emulator:
        from itwin_async.emulator import Emulator

        async with Emulator(seed=0) as emulator:
            token, base_url = emulator.token, emulator.base_url
            async with Session(
                token, base_url=base_url, quota=options.quota, observers=observers
            ) as session:
                yield session
        return
    load_dotenv(Path.cwd() / ".env")
    if options.base_url:
        os.environ["ITWIN_BASE_URL"] = options.base_url
    async with Session.from_env(quota=options.quota, observers=observers) as session:
        yield session


def run(main: Callable[[], Coroutine[object, object, None]]) -> None:
    """
    Run a command's coroutine; errors become one line on stderr and an exit code.

    Args:
        main: makes the coroutine.

    """
    try:
        asyncio.run(main())
    except ITwinError as error:
        _fail(str(error), exit_code(error))
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except BaseExceptionGroup as group:
        inner = _innermost(group)
        if not isinstance(inner, ITwinError):
            raise
        _fail(str(inner), exit_code(inner))


def exit_code(error: ITwinError) -> int:
    """
    Give the exit code that tells a script what kind of error it was.

    Args:
        error: what went wrong.

    Returns:
        2 usage or configuration, 3 authentication or permission, 4 not found, 5 rate limit,
        6 network or server.

    """
    if isinstance(error, ArgumentError | ConfigurationError | InvalidRequestError):
        return USAGE
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return AUTHENTICATION
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    return RATE_LIMIT if isinstance(error, RateLimitError) else UNREACHABLE


def _innermost(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _innermost(first) if isinstance(first, BaseExceptionGroup) else first


def _fail(text: str, code: int) -> NoReturn:
    click.echo(f"itwin-async: {text}", err=True)
    sys.exit(code)
