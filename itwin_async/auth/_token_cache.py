"""A cache of one access token, shared by all tasks."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Protocol

import attrs

from itwin_async._http.credentials import Secret
from itwin_async.errors import ITwinError
from itwin_async.events import logger

_PAUSE = 30.0  # seconds from a failed early refresh to the next one
_EARLY, _LATE = 600.0, 60.0  # seconds before the end, for long lifetimes
_EARLY_SHARE, _LATE_SHARE = 0.2, 0.05  # of short lifetimes


@attrs.frozen
class CachedToken:
    """
    An access token and its times on the cache's clock.

    From ``refresh_at`` on, one caller fetches the next token while the others use this one; from
    ``stale_at`` on, everybody waits for the next one.
    """

    token: Secret
    refresh_at: float
    stale_at: float

    @classmethod
    def issued(cls, token: Secret, at: float, lifetime: float) -> CachedToken:
        """Plan the refresh of a token that was requested at some time and lives some seconds."""
        end = at + lifetime
        return cls(
            token,
            end - min(_EARLY, lifetime * _EARLY_SHARE),
            end - min(_LATE, lifetime * _LATE_SHARE),
        )


class Fetch(Protocol):
    """Fetches a token; ``early`` while the cached one can still be used."""

    async def __call__(self, *, early: bool) -> CachedToken: ...


class TokenCache:
    """Keeps one token and refreshes it when it is asked for, without timers or tasks."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._cached: CachedToken | None = None
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failures = 0
        self._failure: ITwinError | None = None
        self._paused_until = float("-inf")

    async def get(self) -> str:
        """Return a valid token; all callers that wait for the same failing fetch raise."""
        now, cached = self._clock(), self._cached
        if cached is None or now >= cached.stale_at:
            return (await self._wait()).reveal()
        early = now >= cached.refresh_at and now >= self._paused_until
        if not early or self._mutex().locked():
            return cached.token.reveal()
        await self._refresh_early()
        return (self._valid() or await self._wait()).reveal()

    def put(self, token: CachedToken | None) -> None:
        """Replace the token; ``None`` clears the cache."""
        self._cached = token

    def invalidate(self, token: str) -> bool:
        """Drop a token if it is the cached one, and tell whether it was."""
        if self._cached is None or self._cached.token.reveal() != token:
            return False
        self._cached = None
        return True

    def _mutex(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        return self._lock

    def _valid(self) -> Secret | None:
        cached = self._cached
        return cached.token if cached is not None and self._clock() < cached.stale_at else None

    async def _refresh_early(self) -> None:
        async with self._mutex():
            before = self._cached
            try:
                fresh = await self._fetch(early=True)
            except Exception as error:  # noqa: BLE001 - stores raise anything; the token is valid
                self._paused_until = self._clock() + _PAUSE
                logger.info("an early token refresh failed (%s)", type(error).__name__)
                return
            if self._cached is before or before is None:
                self._cached = fresh

    async def _wait(self) -> Secret:
        mutex, before = self._mutex(), self._failures
        async with mutex:
            token = self._valid()
            if token is not None:
                return token
            if self._failures != before and self._failure is not None:
                raise copy.copy(self._failure)
            try:
                self._cached = await self._fetch(early=False)
            except ITwinError as error:
                self._failures, self._failure = self._failures + 1, copy.copy(error)
                raise
            self._failure = None
            return self._cached.token
