"""What is kept of a person's sign-in, and its form as text."""

from __future__ import annotations

from typing import Protocol, cast

import attrs
import msgspec

from itwin_async._http.credentials import Secret

_VERSION = 1


@attrs.frozen
class StoredSignIn:
    """
    A sign-in that outlives the program.

    Attributes:
        issuer: the sign-in server.
        client_id: the application that was signed in to.
        redirect_uri: where the answer went.
        scopes: what was asked for.
        base_url: the platform that it was made for; no other is given its tokens.
        refresh: the refresh token, if there is one.
        access: the latest access token, if it could be kept.
        expires_at: when that ends, in seconds since 1970.
        lifetime: how many seconds it was good for in the beginning.
        saved_at: when this was kept, in seconds since 1970.

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
    """A place for sign-ins; its methods may block and are called in threads."""

    def load(self, issuer: str) -> StoredSignIn | None:
        """
        Read a sign-in.

        Args:
            issuer: the sign-in server.

        Returns:
            What is kept, or ``None``.

        """
        ...

    def save(self, record: StoredSignIn) -> str:
        """
        Keep a sign-in in place of the one before.

        Args:
            record: what to keep.

        Returns:
            Where it is now, in words.

        """
        ...

    def delete(self, issuer: str) -> bool:
        """
        Forget a sign-in.

        Args:
            issuer: the sign-in server.

        Returns:
            Whether there was one.

        """
        ...


def write_record(record: StoredSignIn) -> Secret:
    """
    Write a sign-in as JSON.

    Args:
        record: what to write.

    Returns:
        The text.

    """
    members: dict[str, object] = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in attrs.asdict(record, recurse=False).items()
    }
    return Secret(msgspec.json.encode({"version": _VERSION, **members}).decode("utf-8"))


def read_record(text: Secret, issuer: str) -> StoredSignIn | None:
    """
    Read a sign-in from JSON.

    Args:
        text: what a store kept.
        issuer: the sign-in server that it must be of.

    Returns:
        The sign-in; ``None`` if it is damaged, of another version or of another issuer.

    """
    try:
        kept: object = msgspec.json.decode(text.reveal())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if not isinstance(kept, dict) or kept.get("version") != _VERSION:
        return None
    members = cast("dict[str, object]", kept)
    texts = [members.get(name) for name in ("issuer", "client_id", "redirect_uri", "base_url")]
    scopes = members.get("scopes")
    if members.get("issuer") != issuer or not isinstance(scopes, list):
        return None
    if not all(isinstance(text, str) for text in texts):
        return None
    named = cast("list[str]", texts)
    return StoredSignIn(
        named[0],
        named[1],
        named[2],
        tuple(str(scope) for scope in cast("list[object]", scopes)),
        named[3],
        _secret(members.get("refresh")),
        _secret(members.get("access")),
        _number(members.get("expires_at")),
        _number(members.get("lifetime")),
        _number(members.get("saved_at")),
    )


def _secret(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value else None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
