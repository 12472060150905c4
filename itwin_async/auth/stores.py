"""Stores for the sign-ins of people."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol, cast

import attrs
import msgspec

from itwin_async._http.credentials import Secret
from itwin_async.auth._files import file_errors, file_stem, make_private, settings_folder
from itwin_async.errors import ConfigurationError

_SERVICE = "itwin-async"
_OTHERS = 0o077


@attrs.frozen
class StoredSignIn:
    """
    A sign-in that outlives the program.

    Attributes:
        issuer: the sign-in server.
        client_id: the application.
        redirect_uri: the application's redirect URI.
        scopes: the requested scopes.
        base_url: the platform that the sign-in is for; no other gets its tokens.
        refresh: the refresh token, if there is one.
        access: the latest access token, if the store had room for it.
        expires_at: end of the access token, in seconds since 1970.
        lifetime: seconds from the access token's issue to its end.
        saved_at: when the sign-in was saved, in seconds since 1970.

    """

    issuer: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    base_url: str
    refresh: Secret | None = None
    access: Secret | None = None
    expires_at: float = 0.0
    lifetime: float = 0.0
    saved_at: float = 0.0


class SignInStore(Protocol):
    """Keeps one sign-in per issuer; its methods may block and are called in threads."""

    def load(self, issuer: str) -> StoredSignIn | None:
        """Return the sign-in, or ``None`` if there is none."""
        ...

    def save(self, record: StoredSignIn) -> str:
        """Replace the sign-in of the record's issuer; return a description of where it is now."""
        ...

    def delete(self, issuer: str) -> bool:
        """Delete the sign-in and tell whether there was one."""
        ...


class FileStore:
    """
    Keeps each sign-in in a file of mode 0600.

    Args:
        folder: created with mode 0700; by default the user's folder for settings.

    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or settings_folder()

    def load(self, issuer: str) -> StoredSignIn | None:
        """
        Return the sign-in, or ``None`` if there is none.

        Raises:
            ConfigurationError: others can read the file, or it cannot be read.

        """
        path = self._path(issuer)
        text: Secret | None = None
        with file_errors(f"cannot read {path}"):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                return None
            with file:
                # The mode is that of the open file: the path may change.
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if os.name != "posix" or not mode & _OTHERS:
                    text = Secret(file.read().decode("utf-8", "replace"))
        if text is None:
            raise ConfigurationError(
                f"others can read {path}, which holds a sign-in; sign in again, or chmod 600 it"
            )
        return decode_record(text, issuer)

    def save(self, record: StoredSignIn) -> str:
        """Replace the file at once; a reader sees the old sign-in or the new one."""
        path, text = self._path(record.issuer), encode_record(record)
        make_private(self._folder)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with file_errors(f"cannot write {path}"):
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                    file.write(text.reveal().encode("utf-8"))
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        return f"the file {path} (mode 0600)"

    def delete(self, issuer: str) -> bool:
        """Delete the file and tell whether there was one."""
        path = self._path(issuer)
        with file_errors(f"cannot remove {path}"):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
        return True

    def _path(self, issuer: str) -> Path:
        return self._folder / f"{file_stem(issuer)}.json"


class _Keyring(Protocol):
    priority: float

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


class KeyringStore:
    """Keeps each sign-in as an entry of the system's keyring."""

    def load(self, issuer: str) -> StoredSignIn | None:
        """
        Return the sign-in; ``None`` if there is none, or no keyring.

        Raises:
            ConfigurationError: the keyring is locked or cannot be read.

        """
        keyring = _find_keyring()
        text = None if isinstance(keyring, str) else _read(keyring, issuer)
        return None if text is None else decode_record(text, issuer)

    def save(self, record: StoredSignIn) -> str:
        """
        Save a sign-in, without its access token if the keyring only takes short entries.

        Raises:
            ConfigurationError: there is no keyring, or it does not accept the sign-in.

        """
        keyring = _find_keyring()
        if isinstance(keyring, str):
            raise ConfigurationError(keyring)
        short = attrs.evolve(record, access=None)
        if _write(keyring, record) or (short.refresh is not None and _write(keyring, short)):
            return "the system's keyring"
        raise ConfigurationError("the system's keyring is locked or does not accept the sign-in")

    def delete(self, issuer: str) -> bool:
        """Delete the entry and tell whether there was one that could be deleted."""
        keyring = _find_keyring()
        if isinstance(keyring, str):
            return False
        try:
            if _read(keyring, issuer) is None:
                return False
            keyring.delete_password(_SERVICE, issuer)
        except Exception:  # noqa: BLE001 - backends raise anything
            return False
        return True


class DefaultStore:
    """
    The system's keyring, or a ``FileStore`` where there is no keyring.

    Args:
        folder: of the ``FileStore``.

    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = FileStore(folder)
        self._keyring = KeyringStore()

    def load(self, issuer: str) -> StoredSignIn | None:
        """
        Return the newest sign-in of both, or ``None`` if there is none.

        Raises:
            ConfigurationError: the keyring cannot be read and there is no file, or the file cannot
                be read.

        """
        found = [self._file.load(issuer)]
        try:
            found.append(self._keyring.load(issuer))
        except ConfigurationError:
            if found == [None]:
                raise
        kept = [record for record in found if record is not None]
        return max(kept, key=lambda record: record.saved_at, default=None)

    def save(self, record: StoredSignIn) -> str:
        """Save a sign-in in the keyring, or in the file if the keyring does not accept it."""
        try:
            where = self._keyring.save(record)
        except ConfigurationError as error:
            reason = str(error)
        else:
            self._file.delete(record.issuer)
            return where
        where = self._file.save(record)
        self._keyring.delete(record.issuer)
        return f"{where}, because {reason}"

    def delete(self, issuer: str) -> bool:
        """Delete the sign-in in both and tell whether there was one."""
        deleted = [self._keyring.delete(issuer), self._file.delete(issuer)]
        return any(deleted)


class _Version(msgspec.Struct):
    version: Literal[1]


def encode_record(record: StoredSignIn) -> Secret:
    """Write a sign-in as JSON."""
    members = msgspec.to_builtins(record, enc_hook=Secret.reveal)
    return Secret(msgspec.json.encode({"version": 1} | members).decode("utf-8"))


def decode_record(text: Secret, issuer: str) -> StoredSignIn | None:
    """Read a sign-in; ``None`` if it is damaged, of another version or of another issuer."""
    try:
        msgspec.json.decode(text.reveal(), type=_Version)
        record = msgspec.json.decode(text.reveal(), type=StoredSignIn, dec_hook=_secret)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return record if record.issuer == issuer else None


def _secret(_: type, value: object) -> Secret:
    if not isinstance(value, str):
        raise TypeError("expected a string")
    return Secret(value)


def _find_keyring() -> _Keyring | str:
    """Find the keyring, or say why there is none."""
    try:
        import keyring  # noqa: PLC0415 - of an extra
        from keyring.backends import null  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError:
        return "the package keyring is not installed"
    try:
        backend = keyring.get_keyring()
        usable = backend.priority > 0 and not isinstance(backend, null.Keyring)
    except Exception:  # noqa: BLE001 - backends raise anything
        return "the system's keyring does not work"
    return cast("_Keyring", backend) if usable else "this system has no keyring"


# The errors of a keyring may quote what it was given, so none of them is passed on.
def _read(keyring: _Keyring, issuer: str) -> Secret | None:
    with suppress(Exception):  # backends raise anything
        text = keyring.get_password(_SERVICE, issuer)
        return None if text is None else Secret(text)
    raise ConfigurationError(
        "the system's keyring is locked or cannot be read, so it is not known who is signed in; "
        "unlock it, or set ITWIN_ACCESS_TOKEN, or ITWIN_CLIENT_ID and ITWIN_CLIENT_SECRET"
    )


def _write(keyring: _Keyring, record: StoredSignIn) -> bool:
    try:
        keyring.set_password(_SERVICE, record.issuer, encode_record(record).reveal())
    except Exception:  # noqa: BLE001 - backends raise anything
        return False
    return True
