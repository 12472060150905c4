"""Sign-in: tokens for services and for people, and where they are kept."""

from __future__ import annotations

from itwin_async._http.credentials import Secret, TokenProvider, TokenSource
from itwin_async.auth.authorization_code import AuthorizationCode
from itwin_async.auth.client_credentials import ClientCredentials
from itwin_async.auth.files import FileStore
from itwin_async.auth.keyrings import KeyringStore
from itwin_async.auth.records import SignInStore, StoredSignIn
from itwin_async.auth.stores import DefaultStore

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
