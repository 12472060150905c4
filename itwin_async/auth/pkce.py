"""
The pure half of the authorization code flow: verifier, challenge, state, and the address to open.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from urllib.parse import urlencode

import attrs
from yarl import URL

from itwin_async._http.credentials import Secret


@attrs.frozen
class Proof:
    """
    What proves that an answer belongs to this sign-in.

    Attributes:
        verifier: kept here until the code is exchanged.
        state: comes back with the code.

    """

    verifier: Secret
    state: Secret

    @property
    def challenge(self) -> str:
        """What the sign-in server is told of the verifier (S256)."""
        digest = hashlib.sha256(self.verifier.reveal().encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def new_proof() -> Proof:
    """
    Make the proof of a new sign-in.

    Returns:
        A verifier of 86 characters and a state of 43, both from the system's random source.

    """
    return Proof(Secret(secrets.token_urlsafe(64)), Secret(secrets.token_urlsafe(32)))


def authorize_url(
    endpoint: URL, client_id: str, redirect_uri: str, scopes: Iterable[str], proof: Proof
) -> str:
    """
    Write the address at which a person signs in.

    Args:
        endpoint: the authorization endpoint; it may hold a query.
        client_id: the application.
        redirect_uri: where the answer goes.
        scopes: what is asked for.
        proof: of this sign-in.

    Returns:
        The address.

    """
    query = urlencode(
        {
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(scopes),
            "state": proof.state.reveal(),
            "code_challenge": proof.challenge,
            "code_challenge_method": "S256",
            "prompt": "consent",
            "access_type": "offline",
        }
    )
    mark = "&" if endpoint.raw_query_string else "?"
    return f"{endpoint}{mark}{query}"
