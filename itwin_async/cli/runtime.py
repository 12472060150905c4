"""Run commands: a session from options and environment, errors as one line and an exit code."""

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
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

import attrs
import click

from itwin_async.cli import profiles
from itwin_async.cli.failures import DEFECT, INTERRUPTED, TERMINATED, complain, exit_code
from itwin_async.cli.network_options import network_options
from itwin_async.errors import ConfigurationError, ITwinError
from itwin_async.events import Observer, logger
from itwin_async.quota import Quota, parse_quota

if TYPE_CHECKING:
    import aiohttp

    from itwin_async.retry import RetryPolicy
    from itwin_async.session import Session
    from itwin_async.settings import Settings

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")


@attrs.frozen
class Options:
    """What every command that talks to a platform takes."""

    emulator: bool
    base_url: str | None
    quotas: Mapping[str, Quota]
    verbose: bool
    profile: str | None = None

    @property
    def quota(self) -> Quota | None:
        """The quota of all calls."""
        return self.quotas.get("")

    def context(self, setting: str) -> str | None:
        """
        Return the id of the context's ``"itwin"`` or ``"imodel"``, if there is one.

        Made-up data has none of the ids, unless somebody names a profile for it.
        """
        if self.emulator and self.profile is None:
            return None
        self.prepare()
        return os.environ.get(profiles.VARIABLES[setting], "").strip() or None

    def given_or_context(self, setting: str, given: str | None) -> str:
        """
        Return an id that was given, or else the context's.

        Raises:
            UsageError: there is neither.

        """
        found = given or self.context(setting)
        if found is None:
            raise click.UsageError(
                f"Missing argument '{setting.upper()}_ID', or a context: "
                f"'itwin-async context set --{setting} ID'"
            )
        return found

    def prepare(self) -> None:
        """Complete the environment by what was given, ``.env`` and the profile."""
        if self.base_url:
            os.environ["ITWIN_BASE_URL"] = self.base_url
        load_environment(self.profile)

    @property
    def of_operations(self) -> dict[str, Quota]:
        """The quotas of single operations."""
        return {name: quota for name, quota in self.quotas.items() if name}


class _QuotaType(click.ParamType):  # type: ignore[type-arg]
    name = "calls/seconds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Quota]:
        name, equals, pace = str(value).rpartition("=")
        if equals and name not in (known := _operations()):
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else "see 'itwin-async operations'"
            self.fail(f"there is no operation {name!r}; {hint}", param, ctx)
        try:
            return name, parse_quota(pace)
        except ValueError:
            self.fail(
                "give calls and seconds, such as 500/60 or imodels.create_imodel=5/60", param, ctx
            )


def _operations() -> list[str]:
    from itwin_async import catalog  # imports every API, which few commands need

    return [entry.operation.name for entry in catalog.operations()]


def profile_names(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a profile."""
    with contextlib.suppress(ConfigurationError):
        return [name for name in profiles.load().settings if name.startswith(incomplete)]
    return []


profile_option = click.option(
    "--profile",
    metavar="NAME",
    shell_complete=profile_names,
    help="Use this profile; also ITWIN_PROFILE.",
)


def session_options(command: F) -> F:
    """Give a command the options of ``open_session``, as ``options: Options``."""

    @functools.wraps(command)
    def gather(
        *,
        emulator: bool,
        base_url: str | None,
        quota: tuple[tuple[str, Quota], ...],
        verbose: bool,
        profile: str | None,
        **others: object,
    ) -> object:
        if emulator and base_url:
            raise click.UsageError("--emulator and --base-url are mutually exclusive")
        options = Options(emulator, base_url, dict(quota), verbose, profile)
        return command(options=options, **others)

    decorated: Callable[..., object] = network_options(gather)
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Log every request to stderr."),
        click.option(
            "--quota",
            type=_QuotaType(),
            multiple=True,
            help="Calls per seconds, such as 500/60; of one operation OPERATION=5/60.",
        ),
        profile_option,
        click.option("--base-url", metavar="URL", help="Another platform; also ITWIN_BASE_URL."),
        click.option("--emulator", is_flag=True, help="Use a local platform with made-up data."),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[return-value]


@contextlib.asynccontextmanager
async def open_session(
    options: Options,
    observers: tuple[Observer, ...] = (),
    *,
    retry: RetryPolicy | None = None,
    seconds: float | None = None,
    trace_configs: Iterable[aiohttp.TraceConfig] = (),
) -> AsyncIterator[Session]:
    """
    Open the session that the options ask for; ``seconds`` are the most that a call may take.

    Raises:
        ConfigurationError: there are no credentials.

    """
    log_requests(options)
    settings: Settings = {
        "quota": options.quota,
        "quotas": options.of_operations,
        "observers": observers,
        "retry": retry,
        "timeout": seconds,
        "trace_configs": trace_configs,
    }
    if options.emulator:
        from itwin_async.emulator import Emulator
        from itwin_async.session import Session

        async with Emulator(seed=0) as emulator:
            settings["base_url"] = emulator.base_url
            async with Session(emulator.token, **settings) as session:
                yield session
        return
    from itwin_async.session import Session

    options.prepare()
    async with Session.from_env(**settings) as session:
        yield session


def log_requests(options: Options) -> None:
    """Log every request to stderr, if that is asked for."""
    if options.verbose:
        logging.basicConfig(stream=sys.stderr, format="%(message)s")
        logger.setLevel(logging.DEBUG)


def load_environment(profile: str | None = None) -> dict[str, str]:
    """
    Set environment variables that are missing: from ``.env`` in this folder, then from a profile.

    Returns:
        What each variable that was set here comes from.

    Proxies and certificates do not come from there: with somebody else's, one could listen.

    Raises:
        ConfigurationError: a file cannot be read, or has a value that no variable can have; or
            there is no such profile.

    """
    found = _load_dotenv(Path(".env"))
    return found | profiles.apply(profile, os.environ)


def _load_dotenv(file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    if not file.is_file():
        return found
    from dotenv import dotenv_values

    try:
        # Windows editors put a byte order mark first; only newer python-dotenv drops it.
        text = file.read_text(encoding="utf-8-sig")
        for name, value in dotenv_values(stream=io.StringIO(text)).items():
            if value is not None and name not in os.environ and not _is_of_network(name):
                os.environ[name] = value
                found[name] = ".env"
    except (OSError, ValueError) as problem:
        raise ConfigurationError(f"cannot read {file.absolute()}: {problem}") from None
    return found


def _is_of_network(name: str) -> bool:
    upper = name.upper()
    return upper.endswith("_PROXY") or upper in {"ITWIN_CA_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR"}


def run(main: Callable[[], Coroutine[object, object, int | None]]) -> None:
    """Run a command's coroutine, which returns the exit code, and end the process."""
    sys.exit(or_exit(lambda: asyncio.run(_until_terminated(main())) or 0))


def or_exit(work: Callable[[], T]) -> T:
    """Do a part of a command; every error ends the process with its line and its exit code."""
    try:
        return work()
    except BaseException as problem:  # noqa: BLE001 - every error becomes an exit code
        sys.exit(explain(problem))


_REPEATED = 1.0  # seconds


async def _until_terminated(work: Coroutine[object, object, int | None]) -> int | None:
    """
    Turn SIGINT and SIGTERM into a cancellation, so that everything is closed properly.

    A terminal, a supervisor and ``timeout`` may each send one for the same reason, so those right
    after the first are ignored. A later one ends the command at once.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    first: list[tuple[int, float]] = []

    def end(number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if not first:
            first.append((number, now))
            if task is not None and not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)
        elif now - first[0][1] > _REPEATED:
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    caught = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in caught:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(number, end)
    try:
        return await work
    except asyncio.CancelledError:
        if not first:
            raise ITwinError("cancelled by something that the command waited for") from None
        if first[0][0] == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in caught:
            with contextlib.suppress(ValueError):
                # A handler of Python's would be gone before the process is.
                signal.signal(number, signal.SIG_IGN if first else before[number])


def explain(problem: BaseException) -> int:
    """
    Write one line about an error, and return the exit code.

    A ``SystemExit`` and the errors of click are raised again; a broken pipe is no error.
    """
    if isinstance(problem, BaseExceptionGroup):
        return explain(problem.exceptions[0])
    if isinstance(problem, SystemExit | click.ClickException):
        raise problem
    if isinstance(problem, BrokenPipeError):
        return _discard_output()
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


def _discard_output() -> int:
    # Python flushes stdout at exit, and would complain about the broken pipe once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
