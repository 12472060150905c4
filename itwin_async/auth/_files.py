"""The user's private folder for sign-ins, and the lock that processes share there."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from itwin_async.errors import ConfigurationError, TransportError
from itwin_async.retry import RetryPolicy

_POLL = 0.05


def settings_folder() -> Path:
    """Return ``itwin-async`` in ``%LOCALAPPDATA%``, ``$XDG_CONFIG_HOME`` or ``~/.config``."""
    windows = sys.platform == "win32"
    parent = os.environ.get("LOCALAPPDATA" if windows else "XDG_CONFIG_HOME")
    if parent:
        return Path(parent, "itwin-async")
    try:
        home = Path.home()
    except RuntimeError:
        raise ConfigurationError("no home directory: set HOME or XDG_CONFIG_HOME") from None
    return home.joinpath(*("AppData", "Local") if windows else (".config",), "itwin-async")


def make_private(folder: Path) -> None:
    """Create a folder of mode 0700 if it does not exist."""
    with file_errors(f"cannot create the folder {folder}"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def file_stem(issuer: str) -> str:
    """Return a file name for an issuer: readable, and different for each."""
    readable = re.sub(r"[^0-9a-z.-]+", "-", issuer.lower().partition("://")[2])[:60]
    return f"{readable}-{hashlib.sha256(issuer.encode()).hexdigest()[:12]}"


@contextmanager
def file_errors(message: str) -> Iterator[None]:
    """Raise an ``OSError`` as a ``ConfigurationError``."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise ConfigurationError(f"{message}: {reason}") from None


@asynccontextmanager
async def locked(issuer: str, policy: RetryPolicy, seconds: float) -> AsyncIterator[None]:
    """
    Keep all other processes of this user from refreshing the same sign-in.

    Args:
        issuer: the sign-in server.
        policy: its clock and sleep are used while waiting.
        seconds: how long to wait for another process.

    Raises:
        ConfigurationError: ``filelock`` is not installed, or the lock file cannot be created.
        TransportError: another process kept the lock too long.

    """
    try:
        from filelock import FileLock  # noqa: PLC0415 - of an extra
        from filelock import Timeout as TakenError  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            "refreshing a stored sign-in needs filelock: pip install 'itwin-async[login]'"
        ) from None
    folder = settings_folder()
    make_private(folder)
    path = folder / f"{file_stem(issuer)}.lock"
    lock, give_up = FileLock(path, mode=0o600, thread_local=False), policy.clock() + seconds
    with file_errors(f"cannot lock {path}"):
        while True:
            try:
                lock.acquire(blocking=False)
                break
            except TakenError:
                if policy.clock() >= give_up:
                    raise TransportError(
                        f"another process has kept {path} locked for {seconds:g} seconds",
                        sent=False,
                        timeout=True,
                    ) from None
            await policy.sleep(_POLL)
    try:
        yield
    finally:
        lock.release()
