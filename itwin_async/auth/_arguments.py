"""Arguments that all providers take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from itwin_async._arguments import invalid

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def checked_client_id(client_id: object) -> str:
    """Check the id of an application and strip it."""
    if not isinstance(client_id, str) or not client_id.strip() or not client_id.isprintable():
        raise invalid("client_id", client_id, "a non-empty, printable string")
    return client_id.strip()


def checked_scopes(scopes: object) -> tuple[str, ...]:
    """Check scopes, given as names or as one space-separated string; duplicates are dropped."""
    if isinstance(scopes, str):
        scopes = scopes.split()
    names = tuple(cast("Iterable[object]", scopes)) if isinstance(scopes, Iterable) else ()
    if not names or not all(isinstance(name, str) and _SCOPE.fullmatch(name) for name in names):
        raise invalid("scopes", names or scopes, "a non-empty list of scope names")
    return tuple(dict.fromkeys(cast("tuple[str, ...]", names)))
