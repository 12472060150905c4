"""The iTwin Platform for asyncio: typed, streamed, and safe to repeat."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from itwin_async._version import __version__

if TYPE_CHECKING:
    from itwin_async import bulk, files, imodels, itwins, saved_views
    from itwin_async._http.attempt import Response
    from itwin_async._http.credentials import TokenProvider
    from itwin_async._json.codec import to_dict
    from itwin_async._json.converter import Converter, converter, from_dict
    from itwin_async._tables.arrow import to_arrow
    from itwin_async.errors import (
        ApiError,
        ArgumentError,
        AuthenticationError,
        ConfigurationError,
        ConflictError,
        DecodeError,
        ErrorDetail,
        FileTransferError,
        InvalidRequestError,
        ITwinError,
        NotFoundError,
        OperationFailedError,
        PaginationError,
        PermissionDeniedError,
        RateLimitError,
        RequestError,
        ServerError,
        TransportError,
    )
    from itwin_async.models import JSON, UNSET, Content, Id, Link, Unset
    from itwin_async.operations import LongRunning
    from itwin_async.pacing import LocalPacer
    from itwin_async.paging import (
        DetailPager,
        ItemIterator,
        NumberedPaging,
        Page,
        PageIterator,
        Pager,
        Paging,
    )
    from itwin_async.quota import Pacer, Quota
    from itwin_async.retry import Repeat, RetryPolicy
    from itwin_async.session import Session
    from itwin_async.timeout import Timeout

__all__ = [
    "JSON",
    "UNSET",
    "ApiError",
    "ArgumentError",
    "AuthenticationError",
    "ConfigurationError",
    "ConflictError",
    "Content",
    "Converter",
    "DecodeError",
    "DetailPager",
    "ErrorDetail",
    "FileTransferError",
    "ITwinError",
    "Id",
    "InvalidRequestError",
    "ItemIterator",
    "Link",
    "LocalPacer",
    "LongRunning",
    "NotFoundError",
    "NumberedPaging",
    "OperationFailedError",
    "Pacer",
    "Page",
    "PageIterator",
    "Pager",
    "PaginationError",
    "Paging",
    "PermissionDeniedError",
    "Quota",
    "RateLimitError",
    "Repeat",
    "RequestError",
    "Response",
    "RetryPolicy",
    "ServerError",
    "Session",
    "Timeout",
    "TokenProvider",
    "TransportError",
    "Unset",
    "__version__",
    "bulk",
    "converter",
    "files",
    "from_dict",
    "imodels",
    "itwins",
    "saved_views",
    "to_arrow",
    "to_dict",
]


_WINGS = frozenset({"bulk", "files", "imodels", "itwins", "saved_views"})
_OWNERS = (
    "errors",
    "models",
    "quota",
    "retry",
    "timeout",
    "_tables.arrow",
    "_http.credentials",
    "_http.attempt",
    "pacing",
    "session",
    "paging",
    "operations",
    "_json.codec",
    "_json.converter",
)


def __getattr__(name: str) -> object:
    # Nothing is loaded before it is asked for: no aiohttp to catch an error, no cattrs to stream a
    # list, and no wing of which a program has no need.
    if name in _WINGS:
        return import_module(f"{__name__}.{name}")
    for owner in _OWNERS if name in __all__ else ():
        module = import_module(f"{__name__}.{owner}")
        if hasattr(module, name):
            globals()[name] = getattr(module, name)
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
