"""The controls of the sign-in server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from itwin_async.emulator.engine import Engine
from itwin_async.emulator.signin.oauth import OAuthClient, TokenRequest


class SignInControls:
    """The controls of an emulator's sign-in server."""

    _engine: Engine

    @property
    def clients(self) -> Mapping[str, OAuthClient]:
        """The applications that the sign-in server knows, by their ids."""
        return self._engine.sign_in.clients

    def add_client(
        self,
        client_id: str,
        secret: str | None = None,
        *,
        redirect_uris: Sequence[str] = (),
        scopes: Sequence[str] | None = None,
    ) -> OAuthClient:
        """
        Register an application with the sign-in server.

        Args:
            client_id: its id.
            secret: its secret; None for a public application.
            redirect_uris: its registered redirect URIs.
            scopes: the scopes that it may ask for; all when None.

        """
        client = OAuthClient(client_id, secret, tuple(redirect_uris))
        if scopes is not None:
            client = attrs.evolve(client, scopes=tuple(scopes))
        with self._engine.lock:
            self._engine.sign_in.clients[client_id] = client
        return client

    @property
    def token_requests(self) -> list[TokenRequest]:
        """The requests to the token endpoint, the oldest first."""
        return self._engine.sign_in.token_requests

    @property
    def token_lifetime(self) -> float:
        """Seconds that new tokens of the sign-in server are valid."""
        return self._engine.sign_in.lifetime

    @token_lifetime.setter
    def token_lifetime(self, seconds: float) -> None:
        self._engine.sign_in.lifetime = seconds
