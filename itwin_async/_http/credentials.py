"""Where authorization comes from, and the one renewal that follows a refused token."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Final, Protocol, Self, TypeAlias, runtime_checkable

from itwin_async._tasks import cancellations
from itwin_async.errors import ConfigurationError, ITwinError, TransportError

_PREFIX = re.compile(r"bearer\s+", re.IGNORECASE)
_TOKEN = re.compile(r"[\x21-\x7e]+")


class Secret:
    """A text that does not show itself: not in a repr, not in a log, not in a pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value: Final = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled."""
        raise TypeError("a secret is not pickled")


class Authorization:
    """The value of an ``Authorization`` header, and the secret in it; a repr shows neither."""

    __slots__ = ("header", "secret")

    def __init__(self, scheme: str, secret: Secret) -> None:
        self.secret: Final = secret
        self.header: Final = f"{scheme} {secret.reveal()}"

    def same_as(self, other: Authorization | None) -> bool:
        """Tell whether another one would send the same header."""
        return other is not None and other.header == self.header


@runtime_checkable
class TokenProvider(Protocol):
    """An object that hands out access tokens, asked before every request."""

    async def get_token(self) -> str:
        """Return a token that is valid now, with or without the ``Bearer`` prefix."""
        ...

    def invalidate(self, token: str) -> None:
        """
        Take note that the platform refused a token, so that the next one is another.

        A token that is no longer the current one is ignored.
        """
        ...


TokenSource: TypeAlias = str | Callable[[], Awaitable[str]] | TokenProvider


class Credentials:
    """The authorization of requests: bearer tokens of a source, or what ``of`` is given."""

    __slots__ = (
        "_caller",
        "_failure",
        "_generation",
        "_latest",
        "_lock",
        "_loop",
        "_provider",
        "_replaced",
        "_source",
        "fixed",
        "is_fixed",
    )

    def __init__(self, source: TokenSource) -> None:
        try:
            if isinstance(source, str):
                self._begin(bearer(source), None)
            elif isinstance(source, TokenProvider):
                self._begin(None, source.get_token, source)
            elif callable(source):
                self._begin(None, source)
            else:
                raise ConfigurationError(
                    "token must be a str, an async callable or an object with get_token() and "
                    f"invalidate(); got an object of type {type(source).__name__}"
                )
        finally:
            del source  # a traceback may show what this frame holds

    @property
    def caller(self) -> str:
        """Tell callers apart, without their tokens: the same token or source is the same caller."""
        if self._caller:
            return self._caller
        if self.fixed is not None:
            return blake2b(self.fixed.header.encode(), digest_size=16).hexdigest()
        return str(id(self._source if self._provider is None else self._provider))

    def is_token_in(self, data: bytes) -> bool:
        """Tell whether data hold the token, where it is a fixed one."""
        return self.fixed is not None and self.fixed.secret.reveal().encode() in data

    @classmethod
    def of(cls, authorization: Authorization | None, caller: str = "") -> Self:
        """Send the same authorization with every request, or none; ``caller`` is whose they are."""
        credentials = cls.__new__(cls)
        credentials._begin(authorization, None)  # noqa: SLF001 - same class
        credentials._caller = caller  # noqa: SLF001 - same class
        return credentials

    def _begin(
        self,
        fixed: Authorization | None,
        source: Callable[[], Awaitable[str]] | None,
        provider: TokenProvider | None = None,
    ) -> None:
        self.fixed = fixed
        self.is_fixed = source is None
        self._caller = ""
        self._source = source
        self._provider = provider
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._generation = 0
        self._latest: Authorization | None = None
        self._replaced: Authorization | None = None
        self._failure: ITwinError | None = None

    @property
    def generation(self) -> int:
        """How many renewals there were; noted with each token and handed to ``renew``."""
        return self._generation

    async def current(self) -> Authorization:
        """Give the fixed authorization, or ask the source for a token."""
        return self.fixed or bearer(await self._ask(None))

    async def renew(self, refused: Authorization, generation: int) -> Authorization | None:
        """
        Get another token after one was refused; requests that come together share one renewal.

        Returns ``None`` if there is no other. ``generation`` is what it was when ``refused`` was
        handed out.
        """
        if self._source is None:
            return None
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        async with self._lock:
            # A token may come out of its provider before the renewal that made it has ended here.
            is_latest = refused.same_as(self._latest) and not refused.same_as(self._replaced)
            if self._generation == generation or is_latest:
                await self._replace(refused)
            elif self._failure is not None:
                raise copy.copy(self._failure)  # a broken source is not asked by all who wait
            latest = self._latest
        return None if latest is None or latest.same_as(refused) else latest

    async def _replace(self, refused: Authorization) -> None:
        failure: ITwinError | None = None
        latest: Authorization | None = None
        try:
            latest = bearer(await self._ask(refused))
        except ITwinError as error:
            failure = error
        self._generation += 1
        self._latest, self._replaced, self._failure = latest, refused, failure
        if failure is not None:
            raise failure

    async def _ask(self, refused: Authorization | None) -> str:
        if self._source is None:
            raise ConfigurationError("the session has no token source")
        before = cancellations()
        try:
            if refused is not None and self._provider is not None:
                self._provider.invalidate(refused.secret.reveal())
            coming = self._source()
            if isinstance(coming, str):
                del coming  # a traceback may show what this frame holds
                raise ConfigurationError("the token source must be an async callable")
            return await coming
        except TransportError as error:
            error.kind = "token provider"  # not the platform's, whatever it was there
            raise
        except ITwinError:
            raise
        except asyncio.CancelledError as problem:
            if cancellations() > before:
                raise
            raise _failed(problem) from None  # what the provider waited for was cancelled
        except Exception as problem:
            raise _failed(problem) from problem


def _failed(problem: BaseException) -> TransportError:
    return TransportError(
        f"the token provider failed with {type(problem).__name__}; no request was sent",
        sent=False,
        timeout=isinstance(problem, TimeoutError),
        retryable=False,
        kind="token provider",
    )


def bearer(value: object) -> Authorization:
    """
    Check a token and take its ``Bearer`` prefix off.

    Raises:
        ConfigurationError: it is empty or cannot stand in a header. The message never shows it.

    """
    bare, fault = _bare(value)
    del value  # a traceback may show what this frame holds
    if fault:
        raise ConfigurationError(fault)
    return Authorization("Bearer", Secret(bare))


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
        return "", "the token contains blanks, line breaks or non-ASCII characters"
    return bare, ""
