"""
Every exception of this package.

::

    ITwinError
    ├── ArgumentError            (also ValueError) refused before any request
    ├── ConfigurationError       the session cannot work as it was set up or used
    ├── TransportError           no usable answer: time-out, lost connection, broken body
    ├── DecodeError              an answer that is not what the platform documents
    ├── PaginationError          a loop, a foreign origin, a malformed link
    ├── FileTransferError        a file did not come or go whole: size, digest, no address
    ├── OperationFailedError     a long-running operation of the platform did not succeed
    └── ApiError                 the platform answered with an error
        ├── InvalidRequestError      400, 413, 415, 422
        ├── AuthenticationError      401
        ├── PermissionDeniedError    403
        ├── NotFoundError            404
        ├── ConflictError            409
        ├── RateLimitError           429
        └── ServerError              5xx

All of them pickle, and none of them holds a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, TypeVar

import attrs

FailureKind: TypeAlias = Literal[
    "token provider",
    "pacer",
    "waiting",
    "dns",
    "proxy",
    "tls",
    "connection",
    "answer",
    "closed",
    "other",
]


def _rebuild(cls: type[ITwinError], args: tuple[object, ...], state: dict[str, object]) -> object:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ITwinError(Exception):
    """
    The root of every exception that this package raises.

    Attributes:
        cursor: where to go on, if the error ended an iteration over a list; pass it as ``cursor=``
            to the same list function. Otherwise ``None``.

    """

    cursor: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by state, so that keyword-only constructors survive a process pool."""
        return (_rebuild, (type(self), self.args, self.__dict__))


class ArgumentError(ITwinError, ValueError):
    """
    An argument was refused before any request was sent.

    Attributes:
        argument: name of the argument; empty where the error is about several.

    """

    def __init__(self, message: str, *, argument: str = "") -> None:
        super().__init__(message)
        self.argument = argument


class ConfigurationError(ITwinError):
    """The session cannot work as it was set up or is used."""


class RequestError(ITwinError):
    """
    What errors that belong to one request have in common.

    Attributes:
        method: HTTP method, for instance ``"GET"``.
        path: path of the request, without query; a storage host's with scheme and host.
        request_id: the ``X-Correlation-Id`` that was sent with it.

    """

    def __init__(
        self, message: str, *, method: str = "", path: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.request_id = request_id

    def __str__(self) -> str:
        if not self.method:
            return self._what()
        return f"{self._what()} ({self.method} {self.path}, request id {self.request_id})"

    def _what(self) -> str:
        return str(self.args[0])


class TransportError(RequestError):
    """
    No usable answer arrived: time-out, lost connection, broken or oversized body.

    Attributes:
        sent: whether the request may have reached the platform. ``False`` means surely not.
        timeout: whether time ran out.
        retryable: whether the same request may succeed when it is repeated.
        kind: what failed. ``"token provider"``: the provider, or the sign-in server behind it;
            ``"pacer"``: what paces calls instead of the session; ``"waiting"``: time ran out before
            a connection or the quota was free; ``"dns"``, ``"proxy"``, ``"tls"``,
            ``"connection"``: opening a connection; ``"answer"``: none came, or not all of it;
            ``"closed"``: the session was closed meanwhile.

    """

    def __init__(
        self,
        message: str,
        *,
        sent: bool,
        timeout: bool = False,
        retryable: bool = True,
        kind: FailureKind = "other",
        method: str = "",
        path: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message, method=method, path=path, request_id=request_id)
        self.kind: FailureKind = kind
        self.sent = sent
        self.timeout = timeout
        self.retryable = retryable


class DecodeError(RequestError):
    """
    An answer arrived that is not what the platform documents.

    Attributes:
        json_path: place of the fault in the body, for instance ``$.iModels[3].displayName``.
        status: HTTP status of the answer; 0 where no answer was involved.

    """

    def __init__(
        self,
        message: str,
        *,
        json_path: str = "$",
        status: int = 0,
        method: str = "",
        path: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message, method=method, path=path, request_id=request_id)
        self.json_path = json_path
        self.status = status


class PaginationError(RequestError):
    """A list cannot be continued: a loop, a foreign origin or a malformed link."""


class FileTransferError(ITwinError):
    """
    A file could not be transferred whole: wrong size or digest, no address, or in use.

    Attributes:
        name: name of the file.

    """

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class OperationFailedError(ITwinError):
    """
    A long-running operation of the platform did not succeed.

    Attributes:
        id: id of the entity that it was to make.
        state: how it ended, in the platform's word.

    """

    def __init__(self, message: str, *, id: str, state: str) -> None:  # noqa: A002 - the field's word
        super().__init__(message)
        self.id = id
        self.state = state


@attrs.frozen
class ErrorDetail:
    """
    One entry of an error's ``details``.

    Attributes:
        code: server-defined code, open set.
        message: text for people.
        target: query name (with its dollar sign) or property that is at fault.
        inner_code: code of ``innerError``, if there is one.

    """

    code: str | None = None
    message: str | None = None
    target: str | None = None
    inner_code: str | None = None


class ApiError(RequestError):
    """
    The platform answered with an error.

    Attributes:
        status: HTTP status.
        code: server-defined code, open set; ``None`` if the body had none.
        message: the platform's message, or the beginning of the body.
        target: what the error is about, or ``None``.
        details: all details that the platform gave.
        retry_after: seconds that the platform asks to wait, or ``None``.
        extra: members of the error object that have no attribute here.
        hint: the usual causes of such an answer of the platform, for people; else empty.

    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        target: str | None = None,
        details: tuple[ErrorDetail, ...] = (),
        retry_after: float | None = None,
        extra: Mapping[str, object] | None = None,
        hint: str = "",
        method: str = "",
        path: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message, method=method, path=path, request_id=request_id)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.retry_after = retry_after
        self.extra: dict[str, object] = dict(extra or {})
        self.hint = hint

    def _what(self) -> str:
        parts = [f"{self.status} {self.code}: {self.message}" if self.code else self._plain()]
        parts += [_said(detail) for detail in self.details]
        if self.retry_after is not None:
            parts.append(f"retry after {self.retry_after:g} s")
        if self.hint:
            parts.append(self.hint)
        return "; ".join(parts)

    def _plain(self) -> str:
        return f"{self.status} {self.message}"


class InvalidRequestError(ApiError):
    """The platform refused the request as malformed: 400, 413, 415 or 422."""


class AuthenticationError(ApiError):
    """The token is missing, expired or not accepted: 401, or no token could be had at all."""


class PermissionDeniedError(ApiError):
    """The user lacks a permission: 403."""


class NotFoundError(ApiError):
    """There is no such entity, or the user may not see it: 404."""


class ConflictError(ApiError):
    """The request conflicts with what is there: 409."""


class RateLimitError(ApiError):
    """Too many requests, and waiting did not help or was not allowed: 429."""


class ServerError(ApiError):
    """The platform failed: 5xx."""


_E = TypeVar("_E", bound=ITwinError)
_X = TypeVar("_X", bound=BaseException)


def with_cursor(error: _E, cursor: str | None) -> _E:
    """Note on an error where a list can be continued, and return it."""
    error.cursor = cursor
    return error


def first_of(group: BaseExceptionGroup[_X]) -> _X:
    """Take the first error out of a group, which may hold groups."""
    inner = group.exceptions[0]
    return first_of(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _said(detail: ErrorDetail) -> str:
    text = detail.message or detail.code or detail.inner_code or "no message"
    return f"{detail.target}: {text}" if detail.target else text
