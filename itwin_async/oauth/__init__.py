"""Sign-in: tokens for services and for people, and where they are kept."""

from __future__ import annotations

from itwin_async.oauth.authorization_code import AuthorizationCode
from itwin_async.oauth.client_credentials import ClientCredentials
from itwin_async.oauth.files import FileStore
from itwin_async.oauth.keyrings import KeyringStore
from itwin_async.oauth.records import SignInStore, StoredSignIn
from itwin_async.oauth.stores import DefaultStore

__all__ = [
    "AuthorizationCode",
    "ClientCredentials",
    "DefaultStore",
    "FileStore",
    "KeyringStore",
    "SignInStore",
    "StoredSignIn",
]
