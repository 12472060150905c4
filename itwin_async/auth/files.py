"""Sign-ins in files that only their owner can read, and the lock that processes share."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import secrets
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from itwin_async._http.credentials import Secret
from itwin_async.auth.records import StoredSignIn, read_record, write_record
from itwin_async.errors import ConfigurationError, TransportError
from itwin_async.retry import RetryPolicy

_PRIVATE = 0o600
_OTHERS = 0o077
_POLL = 0.05


class FileStore:
    """
    Keeps each sign-in in a file of mode 0600, in a folder of mode 0700.

    Args:
        folder: where the files lie; by default the user's folder for settings.

    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or settings_folder()

    def load(self, issuer: str) -> StoredSignIn | None:
        """
        Read a sign-in.

        Args:
            issuer: the sign-in server.

        Returns:
            What is kept, or ``None``.

        Raises:
            ConfigurationError: others can read the file, or it cannot be read.

        """
        path = self._path(issuer)
        try:
            # What is checked is what is read: the same open file.
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                open_to_others = os.name == "posix" and bool(stat.S_IMODE(mode) & _OTHERS)
                text = None if open_to_others else Secret(file.read().decode("utf-8", "replace"))
        except FileNotFoundError:
            return None
        except OSError as problem:
            fault = problem.strerror or type(problem).__name__
            raise ConfigurationError(f"cannot read {path}: {fault}") from None
        if text is None:
            raise ConfigurationError(
                f"{path} holds a sign-in and others can read it; log in again, or chmod 600 it"
            )
        return read_record(text, issuer)

    def save(self, record: StoredSignIn) -> str:
        """
        Keep a sign-in; a reader sees the old file or the new one, never a half.

        Args:
            record: what to keep.

        Returns:
            Where it is now, in words.

        Raises:
            ConfigurationError: the file cannot be written.

        """
        path, text = self._path(record.issuer), write_record(record)
        make_private_folder(self._folder)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            try:
                with _create(draft) as file:
                    file.write(text.reveal().encode("utf-8"))
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as problem:
            fault = problem.strerror or type(problem).__name__
        else:
            return f"the file {path} (mode 0600)"
        raise ConfigurationError(f"cannot write {path}: {fault}")

    def delete(self, issuer: str) -> bool:
        """
        Forget a sign-in.

        Args:
            issuer: the sign-in server.

        Returns:
            Whether there was one.

        Raises:
            ConfigurationError: the file cannot be removed.

        """
        path = self._path(issuer)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as problem:
            fault = problem.strerror or type(problem).__name__
            raise ConfigurationError(f"cannot remove {path}: {fault}") from None
        return True

    def _path(self, issuer: str) -> Path:
        return self._folder / f"{_name(issuer)}.json"


def settings_folder() -> Path:
    """
    Tell where this user's settings lie.

    Returns:
        ``itwin-async`` in ``%LOCALAPPDATA%``, in ``$XDG_CONFIG_HOME`` or in ``~/.config``.

    """
    if sys.platform == "win32":
        place = os.environ.get("LOCALAPPDATA")
        return (Path(place) if place else Path.home() / "AppData" / "Local") / "itwin-async"
    place = os.environ.get("XDG_CONFIG_HOME")
    return (Path(place) if place else Path.home() / ".config") / "itwin-async"


@contextlib.asynccontextmanager
async def locked(issuer: str, policy: RetryPolicy, seconds: float) -> AsyncIterator[None]:
    """
    Keep all other processes of this user from renewing the same sign-in.

    Args:
        issuer: the sign-in server.
        policy: its clock and sleep are used while waiting.
        seconds: how long to wait for another process.

    Raises:
        ConfigurationError: ``filelock`` is not installed, or the lock cannot be made.
        TransportError: another process kept the lock too long.

    """
    try:
        from filelock import FileLock  # noqa: PLC0415 - of an extra
        from filelock import Timeout as TakenError  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            "renewing a stored sign-in needs filelock: pip install 'itwin-async[login]'"
        ) from None
    folder = settings_folder()
    make_private_folder(folder)
    path = folder / f"{_name(issuer)}.lock"
    lock, give_up = FileLock(path, mode=_PRIVATE, thread_local=False), policy.clock() + seconds
    while True:
        try:
            lock.acquire(blocking=False)
            break
        except TakenError:
            pass
        except OSError as problem:
            fault = problem.strerror or type(problem).__name__
            raise ConfigurationError(f"cannot lock {path}: {fault}") from None
        if policy.clock() >= give_up:
            raise TransportError(
                f"another process has kept {path} locked for {seconds:g} seconds",
                sent=False,
                timeout=True,
            )
        await policy.sleep(_POLL)
    try:
        yield
    finally:
        lock.release()


def make_private_folder(folder: Path) -> None:
    """
    Make a folder that only its owner can look into, if it is not there.

    Args:
        folder: its path.

    Raises:
        ConfigurationError: it cannot be made.

    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        fault = problem.strerror or type(problem).__name__
        raise ConfigurationError(f"cannot make the folder {folder}: {fault}") from None


def _create(path: Path) -> io.BufferedWriter:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    return os.fdopen(os.open(path, flags, _PRIVATE), "wb")


def _name(issuer: str) -> str:
    readable = re.sub(r"[^0-9a-z.-]+", "-", issuer.lower().partition("://")[2])[:60]
    return f"{readable}-{hashlib.sha256(issuer.encode()).hexdigest()[:12]}"
