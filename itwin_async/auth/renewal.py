"""One token for many tasks: renewed once, ahead of its end, by whoever needs it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable

import attrs

from itwin_async._http.credentials import Secret
from itwin_async.errors import ITwinError
from itwin_async.events import logger

_QUIET = 30.0
_EARLY, _LATE = 600.0, 60.0
_EARLY_SHARE, _LATE_SHARE = 0.2, 0.05


@attrs.frozen
class Held:
    """
    A token and when it ends.

    Attributes:
        token: the access token.
        early: from when on one caller gets the next token while the others go on with this one.
        late: from when on everybody waits for the next one.

    """

    token: Secret
    early: float
    late: float


def held(token: Secret, asked: float, lifetime: float) -> Held:
    """
    Plan the life of a token.

    Args:
        token: the access token.
        asked: when it was asked for, on the caller's clock.
        lifetime: seconds that it is good for.

    Returns:
        The token; renewed 10 minutes ahead of its end and given up 1 minute before it, or at a
        fifth and a twentieth of a short life.

    """
    end = asked + lifetime
    return Held(
        token,
        end - min(_EARLY, lifetime * _EARLY_SHARE),
        end - min(_LATE, lifetime * _LATE_SHARE),
    )


class Renewal:
    """
    Hands out a token and gets the next one in time, without timers and without tasks.

    Args:
        fetch: gets a token; told whether the one at hand is still good.
        clock: clock in seconds, the one of ``Held``.

    """

    def __init__(
        self, fetch: Callable[[bool], Awaitable[Held]], clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._held: Held | None = None
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failures = 0
        self._failure: ITwinError | None = None
        self._quiet_until = float("-inf")

    async def get(self) -> Secret:
        """
        Give a token that is good now.

        Returns:
            The token.

        Raises:
            ITwinError: there is none, and the request for one failed; all that waited for the same
                request get an error of their own.

        """
        now = self._clock()
        token = self._held
        if token is None or now >= token.late:
            return await self._wait()
        if now >= token.early and now >= self._quiet_until and not self._mutex().locked():
            await self._ahead()
            return self._good() or await self._wait()
        return token.token

    def drop(self, token: str) -> bool:
        """
        Give a token up.

        Args:
            token: the refused one.

        Returns:
            Whether it was the one at hand.

        """
        if self._held is None or self._held.token.reveal() != token:
            return False
        self._held = None
        return True

    def put(self, token: Held) -> None:
        """
        Take a token that came another way.

        Args:
            token: what to hand out from now on.

        """
        self._held = token

    def clear(self) -> None:
        """Forget the token."""
        self._held = None

    def _mutex(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        return self._lock

    def _good(self) -> Secret | None:
        token = self._held
        return token.token if token is not None and self._clock() < token.late else None

    async def _ahead(self) -> None:
        async with self._mutex():
            before = self._held
            try:
                fresh = await self._fetch(True)  # noqa: FBT003 - a private callback
            except ITwinError as error:
                self._quiet_until = self._clock() + _QUIET
                logger.info(
                    "a token could not be renewed ahead of its end (%s)", type(error).__name__
                )
                return
            if self._held is before or before is None:
                self._held = fresh

    async def _wait(self) -> Secret:
        mutex, before = self._mutex(), self._failures
        async with mutex:
            token = self._good()
            if token is not None:
                return token
            if self._failures != before and self._failure is not None:
                raise copy.copy(self._failure)
            try:
                self._held = await self._fetch(False)  # noqa: FBT003 - a private callback
            except ITwinError as error:
                self._failures, self._failure = self._failures + 1, copy.copy(error)
                raise
            self._failure = None
            return self._held.token
