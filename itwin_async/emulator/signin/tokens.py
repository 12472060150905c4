"""The tokens: whose they are, and until when they are valid."""

from __future__ import annotations

import hashlib

import attrs

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.platform import errors
from itwin_async.emulator.responses import Response
from itwin_async.emulator.signin.oauth import PLATFORM_SCOPE
from itwin_async.emulator.world.ids import guid_of
from itwin_async.emulator.world.records import UserRecord
from itwin_async.emulator.world.state import DEMO_USER, World


@attrs.define
class Grant:
    """
    What is known of a token.

    Args:
        user: the name of its user.
        client: the application that it was given to.
        scopes: what it allows.
        expires_at: seconds since the epoch; never when None.
        family: shared by the tokens of one sign-in.
        revoked: whether it was revoked.
        calls: how often it was used.

    """

    user: str
    client: str = ""
    scopes: tuple[str, ...] = (PLATFORM_SCOPE,)
    expires_at: float | None = None
    family: str = ""
    revoked: bool = False
    calls: int = 0


@attrs.frozen
class Caller:
    """Who calls, and through which application."""

    user: UserRecord
    client: str


class Tokens:
    """
    The tokens of an emulator, kept as digests only.

    Args:
        clock: the emulator's time.
        any_token: whether an unknown token is valid, for a user of its own.

    """

    def __init__(self, clock: EmulatorClock, *, any_token: bool = True) -> None:
        self._clock = clock
        self._any_token = any_token
        self._grants: dict[str, Grant] = {}
        self._made = 0
        self.calls_per_token: int | None = None
        self.demo_token = self.token_for(DEMO_USER)

    def reset(self) -> None:
        """Make every token valid again that was valid in the beginning."""
        self._grants = {
            digest: attrs.evolve(grant, revoked=False, calls=0)
            for digest, grant in self._grants.items()
            if grant.expires_at is None
        }
        self.calls_per_token = None

    def token_for(self, user: str, *, fresh: bool = False) -> str:
        """Return a token of a user: always the same one, or another one when `fresh`."""
        suffix = ""
        if fresh:
            self._made += 1
            suffix = f"-{self._made}"
        token = f"emulator-{guid_of(f'token:{user}{suffix}')}"
        self._grants.setdefault(_digest(token), Grant(user))
        return token

    def register(self, token: str, grant: Grant) -> None:
        """Make a token of the sign-in server known."""
        self._grants[_digest(token)] = grant

    def expire(self, token: str) -> None:
        """Refuse a token from now on."""
        self._grants.setdefault(_digest(token), Grant(_anybody(token))).revoked = True

    def revoke_family(self, family: str) -> None:
        """Refuse all tokens of a sign-in."""
        for grant in self._grants.values():
            if grant.family == family:
                grant.revoked = True

    def known(self, token: str) -> Grant | None:
        """Return what is known of a token."""
        return self._grants.get(_digest(token))

    def check(self, header: str | None, world: World) -> Caller | Response:
        """Return who calls with a header `Authorization`, or the 401 that they get."""
        if header is None or not header.strip():
            return errors.HEADER_NOT_FOUND
        scheme, _, token = header.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer":
            return errors.invalid_scheme(scheme)
        if not token:
            return errors.UNAUTHORIZED
        grant = self._grants.get(_digest(token))
        if grant is None:
            if not self._any_token:
                return errors.UNAUTHORIZED
            grant = self._grants.setdefault(_digest(token), Grant(_anybody(token)))
        expired = grant.expires_at is not None and grant.expires_at <= self._clock.now()
        spent = self.calls_per_token is not None and grant.calls >= self.calls_per_token
        if expired or spent or grant.revoked or PLATFORM_SCOPE not in grant.scopes:
            return errors.UNAUTHORIZED
        grant.calls += 1
        return Caller(world.user(grant.user), grant.client or grant.user)

    def limit_calls(self, calls: int | None) -> None:
        """Let every token expire after so many calls, counted from now."""
        self.calls_per_token = calls
        for grant in self._grants.values():
            grant.calls = 0


def _anybody(token: str) -> str:
    return f"user-{guid_of(token)[:8]}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
