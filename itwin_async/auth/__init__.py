"""Sign-in for services and for people."""

from __future__ import annotations

from itwin_async._http.credentials import Secret, TokenProvider, TokenSource
from itwin_async.auth.authorization_code import AuthorizationCode
from itwin_async.auth.client_credentials import ClientCredentials
from itwin_async.auth.stores import (
    DefaultStore,
    FileStore,
    KeyringStore,
    SignInStore,
    StoredSignIn,
)

__all__ = [
    "AuthorizationCode",
    "ClientCredentials",
    "DefaultStore",
    "FileStore",
    "KeyringStore",
    "Secret",
    "SignInStore",
    "StoredSignIn",
    "TokenProvider",
    "TokenSource",
]
