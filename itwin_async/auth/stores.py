"""The choice of where sign-ins are kept."""

from __future__ import annotations

from pathlib import Path

from itwin_async.auth.files import FileStore
from itwin_async.auth.keyrings import KeyringStore
from itwin_async.auth.records import StoredSignIn
from itwin_async.errors import ConfigurationError


class DefaultStore:
    """
    The system's keyring, or a file that only its owner can read where there is no keyring.

    Args:
        folder: where the file lies; by default the user's folder for settings.

    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = FileStore(folder)
        self._keyring = KeyringStore()

    def load(self, issuer: str) -> StoredSignIn | None:
        """
        Read a sign-in, the newest if both places hold one.

        Args:
            issuer: the sign-in server.

        Returns:
            What is kept, or ``None``.

        Raises:
            ConfigurationError: the file is open to others.

        """
        found = [self._file.load(issuer), self._keyring.load(issuer)]
        kept = [record for record in found if record is not None]
        return max(kept, key=lambda record: record.saved_at, default=None)

    def save(self, record: StoredSignIn) -> str:
        """
        Keep a sign-in in the keyring, or in the file if the keyring does not take it.

        Args:
            record: what to keep.

        Returns:
            Where it is now, in words.

        Raises:
            ConfigurationError: the file cannot be written.

        """
        where, fault = self._in_keyring(record)
        if where is not None:
            self._file.delete(record.issuer)
            return where
        where = self._file.save(record)
        self._keyring.delete(record.issuer)
        return f"{where}, because {fault}"

    def delete(self, issuer: str) -> bool:
        """
        Forget a sign-in, wherever it is.

        Args:
            issuer: the sign-in server.

        Returns:
            Whether there was one.

        """
        gone = [self._keyring.delete(issuer), self._file.delete(issuer)]
        return any(gone)

    def _in_keyring(self, record: StoredSignIn) -> tuple[str | None, str]:
        try:
            return self._keyring.save(record), ""
        except ConfigurationError as error:
            return None, str(error)
