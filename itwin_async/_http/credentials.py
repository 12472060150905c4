"""Where bearer tokens come from, and the one renewal that follows a refused token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias, runtime_checkable

from itwin_async.errors import AuthenticationError, ConfigurationError, ITwinError

_PREFIX = re.compile(r"bearer\s+", re.IGNORECASE)
_TOKEN = re.compile(r"[\x21-\x7e]+")


class Secret:
    """A text that does not show itself: not in a repr, not in a log, not in a pickle."""

    __slots__ = ("_header", "_value")

    def __init__(self, value: str) -> None:
        self._value: Final = value
        self._header: Final = f"Bearer {value}"

    def header(self) -> str:
        """
        Hand out the value of an ``Authorization`` header.

        Returns:
            The secret behind ``Bearer``.

        """
        return self._header

    def reveal(self) -> str:
        """
        Hand out the text itself.

        Returns:
            The secret.

        """
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled."""
        raise TypeError("a secret is not pickled")


@runtime_checkable
class TokenProvider(Protocol):
    """An object that hands out access tokens, asked before every request."""

    async def get_token(self) -> str:
        """Return a token that is valid now, with or without the ``Bearer`` prefix."""
        ...

    def invalidate(self, token: str) -> None:
        """
        Take note that the platform refused a token, so that the next one is another.

        Args:
            token: the refused token; ignore it if it is no longer the current one.

        """
        ...


TokenSource: TypeAlias = str | Callable[[], Awaitable[str]] | TokenProvider


class Authenticator:
    """One token source, with the rule that many refused requests cause one renewal."""

    __slots__ = ("_fixed", "_generation", "_latest", "_lock", "_loop", "_provider", "_source")

    def __init__(self, source: TokenSource) -> None:
        self._fixed: Secret | None = None
        self._provider: TokenProvider | None = None
        self._source: Callable[[], Awaitable[str]] | None = None
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._generation = 0
        self._latest: Secret | None = None
        try:
            if isinstance(source, str):
                self._fixed = clean_token(source)
            elif isinstance(source, TokenProvider):
                self._provider = source
                self._source = source.get_token
            elif callable(source):
                self._source = source
            else:
                raise ConfigurationError(
                    "token must be a str, an async callable or an object with get_token() and "
                    f"invalidate(); got an object of type {type(source).__name__}"
                )
        finally:
            del source  # a traceback may show what this frame holds

    @property
    def fixed(self) -> Secret | None:
        """The token, if it never changes."""
        return self._fixed

    @property
    def generation(self) -> int:
        """How many renewals there were; note it before a request and hand it to ``renew``."""
        return self._generation

    async def token(self) -> Secret:
        """
        Ask the source for a token.

        Returns:
            The token, without prefix.

        Raises:
            AuthenticationError: the source failed.
            ConfigurationError: the source gave something that is no token.

        """
        if self._fixed is not None:
            return self._fixed
        return clean_token(await self._ask())

    async def renew(self, refused: Secret, generation: int) -> Secret | None:
        """
        Get another token after one was refused; requests that come together share one renewal.

        Args:
            refused: the token that the platform refused.
            generation: ``generation`` as it was when that token was taken.

        Returns:
            A token other than the refused one, or ``None`` if there is none.

        """
        if self._source is None:
            return None
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        async with self._lock:
            if self._generation == generation:
                try:
                    self._latest = clean_token(await self._ask(refused))
                except ITwinError:
                    # Whoever waits raises its own 401, and does not ask a broken source again.
                    self._latest, self._generation = None, generation + 1
                    raise
                self._generation += 1
            latest = self._latest
        if latest is None or latest.reveal() == refused.reveal():
            return None
        return latest

    async def _ask(self, refused: Secret | None = None) -> str:
        if self._source is None:
            raise ConfigurationError("the session has no token source")
        try:
            if refused is not None and self._provider is not None:
                self._provider.invalidate(refused.reveal())
            coming = self._source()
            if isinstance(coming, str):
                del coming  # a traceback may show what this frame holds
                raise ConfigurationError("the token source must be an async callable")
            return await coming
        except ITwinError:
            raise
        except Exception as problem:
            raise AuthenticationError(
                f"the token provider failed with {type(problem).__name__}; no request was sent",
                status=401,
                code="TokenProviderFailed",
            ) from problem


def clean_token(value: object) -> Secret:
    """
    Check a token and take its ``Bearer`` prefix off.

    Args:
        value: what the caller or a provider gave.

    Returns:
        The bare token.

    Raises:
        ConfigurationError: it is empty or cannot stand in a header. The message never shows it.

    """
    bare, fault = _bare(value)
    del value  # a traceback may show what this frame holds
    if fault:
        raise ConfigurationError(fault)
    return Secret(bare)


def _bare(value: object) -> tuple[str, str]:
    if not isinstance(value, str):
        return "", f"the token must be a str, got {type(value).__name__}"
    bare = value.strip(" ")
    match = _PREFIX.match(bare)
    if match:
        bare = bare[match.end() :]
    if not bare or bare.lower() == "bearer":
        return "", "the token is empty"
    if not _TOKEN.fullmatch(bare):
        return "", "the token holds blanks, line breaks or characters beside ASCII"
    return bare, ""
