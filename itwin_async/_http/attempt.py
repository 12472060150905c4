"""One attempt over aiohttp: bytes out, bytes in, every failure turned into a value of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from ssl import SSLContext
from typing import TYPE_CHECKING, TypeAlias, TypedDict, TypeVar

import aiohttp
import attrs
import msgspec
from yarl import URL

from itwin_async._http.credentials import Secret
from itwin_async._http.deadlines import Watch
from itwin_async._http.error_mapping import error_from_response
from itwin_async.errors import (
    ApiError,
    DecodeError,
    RequestError,
    TransportError,
)
from itwin_async.retry import parse_retry_after

E = TypeVar("E", bound=RequestError)

Tls: TypeAlias = SSLContext | aiohttp.Fingerprint | bool

_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)
_HOPELESS = (
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ClientConnectorSSLError,
    aiohttp.ServerFingerprintMismatch,
)
_SHORTEST_SECRET = 8


if TYPE_CHECKING:
    from attrs import frozen as _frozen
else:
    # Made for every answer: frozen for the type checker, at half the cost at run time.
    from attrs import define as _frozen


@_frozen(eq=False)
class Response:
    """
    An answer of the platform, read to its end.

    Attributes:
        status: HTTP status, 2xx.
        headers: response headers; names in any case.
        body: decompressed bytes.
        request_id: the ``X-Correlation-Id`` that was sent.
        method: HTTP method of the request.
        path: path of the request, without host and query.

    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    request_id: str
    method: str
    path: str

    def json(self) -> object:
        """
        Parse the body.

        Returns:
            Plain Python values; ``None`` for an empty body.

        Raises:
            DecodeError: the body is not JSON.

        """
        if not self.body:
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        raise self.blame(DecodeError("the answer is not JSON"))

    def blame(self, error: E) -> E:
        """
        Note on an error which answer it is about.

        Args:
            error: the error; changed in place.

        Returns:
            The same error.

        """
        if isinstance(error, DecodeError):
            error.status = self.status
        error.method, error.path, error.request_id = self.method, self.path, self.request_id
        return error


@attrs.define(eq=False, repr=False)
class Attempt:
    """What is the same for every attempt of a call; and when the latest went out."""

    method: str
    url: URL
    path: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes | None = attrs.field(repr=False)
    request_id: str
    sent: float = 0.0


class RequestOptions(TypedDict, total=False):
    """What is said to aiohttp with every request."""

    allow_redirects: bool
    raise_for_status: bool
    timeout: aiohttp.ClientTimeout
    ssl: Tls
    proxy: str | URL | None


@attrs.define(eq=False, repr=False)
class Channel:
    """What attempts go through: an open pool and its settings."""

    http: aiohttp.ClientSession
    watch: Watch
    options: RequestOptions
    max_body: int
    now: Callable[[], float]
    closed: bool = False


async def send(
    channel: Channel, attempt: Attempt, token: Secret, seconds: float
) -> Response | ApiError | TransportError:
    """
    Send one request and read its answer; failures are returned, so that no frame holds a token.

    Args:
        channel: pool and settings.
        attempt: the request.
        token: the bearer token.
        seconds: how long it may take.

    Returns:
        The answer, or the error that it amounts to.

    """
    watch = channel.watch
    task = watch.start(seconds)
    answer: aiohttp.ClientResponse | None = None
    refusal, reason, retry_after = 0, b"", None
    try:
        answer = await channel.http.request(
            attempt.method,
            attempt.url,
            headers={**attempt.headers, "Authorization": token.header()},
            data=attempt.body,
            **channel.options,
        )
        status = answer.status
        if 200 <= status < 300:  # noqa: PLR2004 - any 2xx is a success
            empty = status == 204  # noqa: PLR2004 - No Content
            body = b"" if empty else await _read(answer, attempt, channel.max_body)
            if isinstance(body, TransportError):
                return body
            return Response(
                status, answer.headers, body, attempt.request_id, attempt.method, attempt.path
            )
        refusal, retry_after = status, _retry_after(answer, channel.now())
        reason = await _read_reason(answer, attempt, channel.max_body)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
        return _failure(problem, attempt)
    except asyncio.CancelledError as stop:
        # A pool that closes may also cancel what a task waits for, without cancelling the task.
        if not watch.is_late(task) and (not channel.closed or watch.is_cancelled(task)):
            # The frames that it came through hold the token.
            raise stop.with_traceback(None) from None
        if channel.closed:
            return _transport_error("the session was closed", attempt, retryable=False)
        if not refusal:
            return _transport_error("no complete answer in time", attempt, timeout=True)
    finally:
        watch.stop(task)
        if answer is not None:
            answer.release()  # gives the connection back, or closes it where bytes are left
    return error_from_response(
        refusal,
        _masked(reason, token),
        method=attempt.method,
        path=attempt.path,
        request_id=attempt.request_id,
        retry_after=retry_after,
    )


async def _read(
    answer: aiohttp.ClientResponse, attempt: Attempt, limit: int
) -> bytes | TransportError:
    first = await answer.content.readany()
    if len(first) <= limit and answer.content.at_eof():
        return first
    chunks, size = [first], len(first)
    while size <= limit:
        chunk = await answer.content.readany()
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
    answer.close()
    return _transport_error(
        f"the answer ({answer.status}) is larger than {limit} bytes", attempt, retryable=False
    )


async def _read_reason(answer: aiohttp.ClientResponse, attempt: Attempt, limit: int) -> bytes:
    # The status says enough: a broken error page must not hide it.
    try:
        body = await _read(answer, attempt, limit)
    except (aiohttp.ClientError, OSError, ValueError):
        return b""
    return b"" if isinstance(body, TransportError) else body


def _masked(reason: bytes, token: Secret) -> bytes:
    secret = token.reveal()
    if len(secret) < _SHORTEST_SECRET:
        return reason
    if b"\\" in reason:
        # JSON can write a character in several ways; this makes it one.
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            reason = msgspec.json.encode(msgspec.json.decode(reason))
        reason = reason.replace(msgspec.json.encode(secret)[1:-1], b"***")
    return reason.replace(secret.encode(), b"***")


def _retry_after(answer: aiohttp.ClientResponse, now: float) -> float | None:
    headers = answer.headers
    value = headers.get("Retry-After") or headers.get("iTwinPlatform-RateLimit-Retry-After-Seconds")
    return parse_retry_after(value, now)


def _transport_error(
    text: str, attempt: Attempt, *, sent: bool = True, timeout: bool = False, retryable: bool = True
) -> TransportError:
    return TransportError(
        text,
        sent=sent,
        timeout=timeout,
        retryable=retryable,
        method=attempt.method,
        path=attempt.path,
        request_id=attempt.request_id,
    )


def _failure(problem: Exception, attempt: Attempt) -> TransportError:
    sent = not isinstance(problem, _NEVER_SENT)
    if isinstance(problem, TimeoutError):
        words = "no complete answer in time" if sent else "no connection in time"
        return _transport_error(words, attempt, sent=sent, timeout=True)
    words = "the connection was lost" if sent else "no connection"
    text, fit = f"{words}: {problem}", not isinstance(problem, _HOPELESS)
    # The texts of what follows may quote what was sent or received, headers included.
    if isinstance(problem, aiohttp.ClientHttpProxyError):
        text, sent = f"the proxy refused to connect ({problem.status})", False
    elif isinstance(problem, aiohttp.ClientResponseError):
        text = "the answer is not valid HTTP"
    elif isinstance(problem, ValueError):
        text, sent, fit = f"the request cannot be sent ({type(problem).__name__})", False, False
    elif isinstance(problem, aiohttp.ClientPayloadError):
        text = "the answer broke off or could not be decompressed"
    elif isinstance(problem, aiohttp.ServerDisconnectedError):
        text = "the server closed the connection without an answer"
    return _transport_error(text, attempt, sent=sent, retryable=fit)
