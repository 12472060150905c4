"""
How a command runs: a session from options and environment, errors as one line and an exit code.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from types import FrameType
from typing import TypeVar

import attrs
import click
from dotenv import dotenv_values

from itwin_async.cli.failures import DEFECT, INTERRUPTED, TERMINATED, complain, exit_code
from itwin_async.errors import ConfigurationError, ITwinError
from itwin_async.events import Observer, logger
from itwin_async.quota import Quota
from itwin_async.session import Session

F = TypeVar("F", bound=Callable[..., object])

__all__ = [
    "Options",
    "exit_code",
    "explain",
    "load_environment",
    "open_session",
    "run",
    "session_options",
]


@attrs.frozen
class Options:
    """What every command that talks to a platform takes."""

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

    @functools.wraps(command)
    def gather(
        *,
        emulator: bool,
        base_url: str | None,
        quota: Quota | None,
        verbose: bool,
        **others: object,
    ) -> object:
        if emulator and base_url:
            raise click.UsageError("--emulator and --base-url exclude each other")
        return command(options=Options(emulator, base_url, quota, verbose), **others)

    decorated: Callable[..., object] = gather
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Log every request to stderr."),
        click.option("--quota", type=_QuotaType(), help="Pace all calls, such as 500/60."),
        click.option("--base-url", metavar="URL", help="Platform to ask; also ITWIN_BASE_URL."),
        click.option("--emulator", is_flag=True, help="Ask a local platform with made-up data."),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[return-value]


@contextlib.asynccontextmanager
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
        logger.setLevel(logging.DEBUG)
    if options.emulator:
        from itwin_async.emulator import Emulator

        async with (
            Emulator(seed=0) as emulator,
            Session(
                emulator.token,
                base_url=emulator.base_url,
                quota=options.quota,
                observers=observers,
            ) as session,
        ):
            yield session
        return
    load_environment()
    if options.base_url:
        os.environ["ITWIN_BASE_URL"] = options.base_url
    async with Session.from_env(quota=options.quota, observers=observers) as session:
        yield session


def load_environment() -> None:
    """
    Set environment variables that are missing from the file ``.env`` of the current folder.

    Raises:
        ConfigurationError: the file cannot be read, or holds what no variable can.

    """
    file = Path(".env")
    if not file.is_file():
        return
    try:
        # Windows editors put a byte order mark first; only newer python-dotenv drops it.
        text = file.read_text(encoding="utf-8-sig")
        for name, value in dotenv_values(stream=io.StringIO(text)).items():
            if value is not None:
                os.environ.setdefault(name, value)
    except (OSError, ValueError) as problem:
        raise ConfigurationError(f"cannot read {file.absolute()}: {problem}") from None


def run(main: Callable[[], Coroutine[object, object, int | None]]) -> None:
    """
    Run a command's coroutine; errors become one line on stderr and an exit code.

    Args:
        main: makes the coroutine; what it returns is the exit code, ``None`` for success.

    """
    try:
        code = asyncio.run(_until_terminated(main())) or 0
    except BaseException as problem:  # noqa: BLE001 - the last stop before the terminal
        code = explain(problem)
    sys.exit(code)


_SAME_WISH = 1.0  # seconds


async def _until_terminated(work: Coroutine[object, object, int | None]) -> int | None:
    """
    Turn SIGINT and SIGTERM into a cancellation, so that what was begun is put in order.

    A terminal, a supervisor and ``timeout`` may each send one for the same wish: what comes right
    after the first says nothing new. Later ones are impatience, and end the command at once.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    first: list[tuple[int, float]] = []

    def end(number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if not first:
            first.append((number, now))
            if task is not None and not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)
        elif now - first[0][1] > _SAME_WISH:
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    caught = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in caught:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(number, end)
    try:
        return await work
    except asyncio.CancelledError:
        if first and first[0][0] == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in caught:
            with contextlib.suppress(ValueError):
                # A handler of Python's would be gone before the process is.
                signal.signal(number, signal.SIG_IGN if first else before[number])


def explain(problem: BaseException) -> int:
    """
    Say in one line what went wrong, unless it needs no word.

    Args:
        problem: what ended the command; a ``SystemExit`` and what click explains are raised again.

    Returns:
        The exit code.

    """
    if isinstance(problem, BaseExceptionGroup):
        return explain(problem.exceptions[0])
    if isinstance(problem, SystemExit | click.ClickException):
        raise problem
    if isinstance(problem, BrokenPipeError):
        return _silence()
    text, code = _words(problem)
    complain(text)
    return code


def _words(problem: BaseException) -> tuple[str, int]:
    if isinstance(problem, ITwinError):
        return str(problem), exit_code(problem)
    if isinstance(problem, asyncio.CancelledError):
        return "terminated", TERMINATED
    if isinstance(problem, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    logger.debug("where it happened", exc_info=problem)
    if isinstance(problem, OSError):
        where = f"{problem.filename}: " if problem.filename else ""
        return f"{where}{problem.strerror or problem}", DEFECT
    return f"a defect: {type(problem).__name__}: {problem}; --verbose tells where", DEFECT


def _silence() -> int:
    """End quietly, and as a success, because whoever read the output has seen enough."""
    # Python would flush at exit and complain once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
