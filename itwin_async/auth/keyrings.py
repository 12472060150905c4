"""Sign-ins in the system's keyring, where there is one."""

from __future__ import annotations

from typing import Protocol, cast

import attrs

from itwin_async._http.credentials import Secret
from itwin_async.auth.records import StoredSignIn, read_record, write_record
from itwin_async.errors import ConfigurationError

_SERVICE = "itwin-async"


class _Backend(Protocol):
    priority: float

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


class KeyringStore:
    """Keeps each sign-in as one entry of the system's keyring."""

    def load(self, issuer: str) -> StoredSignIn | None:
        """
        Read a sign-in.

        Args:
            issuer: the sign-in server.

        Returns:
            What is kept; ``None`` if there is nothing, or no keyring that can be read.

        """
        keyring = _usable()
        text = None if isinstance(keyring, str) else _read(keyring, issuer)
        return None if text is None else read_record(text, issuer)

    def save(self, record: StoredSignIn) -> str:
        """
        Keep a sign-in; without its access token where the keyring takes short texts only.

        Args:
            record: what to keep.

        Returns:
            Where it is now, in words.

        Raises:
            ConfigurationError: there is no keyring, or it does not take the sign-in.

        """
        keyring = _usable()
        if isinstance(keyring, str):
            raise ConfigurationError(keyring)
        short = attrs.evolve(record, access=None)
        if _write(keyring, record) or (short.refresh is not None and _write(keyring, short)):
            return "the system's keyring"
        raise ConfigurationError("the system's keyring is locked or does not take the sign-in")

    def delete(self, issuer: str) -> bool:
        """
        Forget a sign-in.

        Args:
            issuer: the sign-in server.

        Returns:
            Whether there was one that could be removed.

        """
        keyring = _usable()
        if isinstance(keyring, str) or _read(keyring, issuer) is None:
            return False
        try:
            keyring.delete_password(_SERVICE, issuer)
        except Exception:  # noqa: BLE001 - backends raise whatever their system gives them
            return False
        return True


def _usable() -> _Backend | str:
    """Find the keyring, or say why there is none."""
    try:
        import keyring  # noqa: PLC0415 - of an extra
        from keyring.backends import null  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError:
        return "the package keyring is not installed"
    try:
        backend = keyring.get_keyring()
        working = backend.priority > 0 and not isinstance(backend, null.Keyring)
    except Exception:  # noqa: BLE001 - backends raise whatever their system gives them
        return "the system's keyring does not work"
    return cast("_Backend", backend) if working else "this system has no keyring"


# The texts and frames of a backend's errors may hold what it was given: none of them is passed on.
def _read(keyring: _Backend, issuer: str) -> Secret | None:
    try:
        text = keyring.get_password(_SERVICE, issuer)
    except Exception:  # noqa: BLE001 - backends raise whatever their system gives them
        return None
    return None if text is None else Secret(text)


def _write(keyring: _Backend, record: StoredSignIn) -> bool:
    try:
        keyring.set_password(_SERVICE, record.issuer, write_record(record).reveal())
    except Exception:  # noqa: BLE001 - backends raise whatever their system gives them
        return False
    return True
