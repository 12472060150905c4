"""One attempt over aiohttp: bytes out, bytes in, every failure turned into a value of ours."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar, overload

import aiohttp
import attrs
import msgspec
from aiohttp import hdrs
from yarl import URL

from itwin_async._http.bodies import BodyError, Sink, decompress, too_large
from itwin_async._http.call_options import RequestOptions
from itwin_async._http.client import Client, Connection
from itwin_async._http.credentials import Authorization
from itwin_async._http.error_mapping import (
    error_from_response,
    error_from_storage,
    parse_retry_after,
)
from itwin_async._http.failures import describe
from itwin_async._http.masking import excerpt, masked
from itwin_async._json.codec import Codec
from itwin_async._json.completeness import closing_links, is_complete
from itwin_async.errors import ApiError, DecodeError, FailureKind, RequestError, TransportError
from itwin_async.models import JSON

E = TypeVar("E", bound=RequestError)
T = TypeVar("T")

_CODEC = Codec()

_LARGE = 2**20
_NO_CONTENT = 204


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
        links: the ``_links`` member, parsed, where it closes the body of a page; else ``None``.

    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    request_id: str
    method: str
    path: str
    links: object = attrs.field(default=None, repr=False)
    _authorization: Authorization | None = attrs.field(default=None, repr=False)

    @overload
    def json(self) -> JSON: ...
    @overload
    def json(self, cls: type[T], *, key: str | None = None) -> T: ...
    def json(self, cls: type[T] | None = None, *, key: str | None = None) -> JSON | T:
        """
        Parse the body; an empty one is ``None``.

        Args:
            cls: what to read it as: a model, an attrs class, or a type such as ``dict[str, int]``.
            key: the member to read, for instance ``"iModel"``, instead of the whole body.

        Raises:
            DecodeError: the body is not JSON, or no ``cls``.

        """
        if cls is None:
            return self._parsed()
        try:
            if key is not None:
                return _CODEC.member(self.body, cls, key)
            return _CODEC.structure(self._parsed(), cls)
        except DecodeError as error:
            raise self.blame(error) from None

    def _parsed(self) -> JSON:
        if not self.body:
            return None
        try:
            parsed: JSON = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return parsed
        raise self.blame(DecodeError("the answer is not JSON"))

    def blame(self, error: E) -> E:
        """Note on an error which answer it is about, and return it."""
        if isinstance(error, DecodeError):
            error.status = self.status
            if error.json_path == "$" and self.body:
                start = excerpt(self.body, self._authorization)
                error.args = (f"{error.args[0]}; it begins with {start!r}",)
        error.method, error.path, error.request_id = self.method, self.path, self.request_id
        return error


@_frozen(eq=False, repr=False)
class Request:
    """
    What is the same for every attempt of a call.

    Attributes:
        sink: takes the body of a success instead of the response.
        storage: whether it goes to a storage host, by a signed address: past the platform's limits,
            and with errors that quote nothing.

    """

    method: str
    url: URL
    path: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes | None = attrs.field(repr=False)
    request_id: str
    limit: str = ""
    sink: Sink | None = None
    storage: bool = False

    def failed(
        self,
        message: str,
        *,
        sent: bool = True,
        timeout: bool = False,
        retryable: bool = True,
        kind: FailureKind = "answer",
    ) -> TransportError:
        """Make the error for an attempt that got no usable answer."""
        return TransportError(
            message,
            sent=sent,
            timeout=timeout,
            retryable=retryable,
            kind=kind,
            method=self.method,
            path=self.path,
            request_id=self.request_id,
        )


async def send(
    client: Client,
    request: Request,
    authorization: Authorization | None,
    seconds: float,
    options: RequestOptions,
) -> Response | ApiError | TransportError:
    """Send a request once and read its answer; failures are returned, not raised."""
    connection = client.ready()
    deadlines = connection.deadlines
    task = deadlines.start(seconds)
    answer: aiohttp.ClientResponse | None = None
    status, reason, retry_after = 0, b"", None
    told: Mapping[str, str] = {}
    try:
        answer = await connection.http.request(
            request.method,
            request.url,
            headers=_headers(request, authorization),
            data=_payload(request.body),
            **options,
        )
        if answer.status == _NO_CONTENT:
            return Response(
                answer.status,
                answer.headers,
                b"",
                request.request_id,
                request.method,
                request.path,
            )
        if 200 <= answer.status < 300:  # noqa: PLR2004 - any 2xx is a success
            if request.sink is not None:
                await _stream(answer, request.sink, partial(deadlines.extend, task, seconds))
            return await _success(answer, client, connection, request, authorization)
        status, told = answer.status, answer.headers
        retry_after = _retry_after(answer, client.retry.now())
        # The status says enough: a broken error page must not hide it.
        with suppress(aiohttp.ClientError, OSError, ValueError, BodyError):
            reason = await _read(answer, client, connection)
    except (aiohttp.ClientError, OSError, ValueError, BodyError) as problem:
        text, how = describe(problem)
        return request.failed(text, **how)
    except asyncio.CancelledError as stop:
        late = deadlines.is_late(task)
        if not late and deadlines.is_cancelled(task):
            # The frames that it came through hold the token.
            raise stop.with_traceback(None) from None
        if deadlines.closed or not late or not status:
            return _cancelled(request, closed=deadlines.closed, late=late)
    finally:
        deadlines.stop(task)
        if answer is not None:
            answer.release()  # gives the connection back, or closes it where bytes are left
    return _error(request, authorization, status, told, reason, retry_after)


def _error(
    request: Request,
    authorization: Authorization | None,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    retry_after: float | None,
) -> ApiError:
    if request.storage:
        return error_from_storage(
            status,
            headers,
            body,
            method=request.method,
            path=request.path,
            request_id=request.request_id,
            retry_after=retry_after,
        )
    return error_from_response(
        status,
        masked(body, authorization),
        method=request.method,
        path=request.path,
        request_id=request.request_id,
        retry_after=retry_after,
        location=headers.get("Location") if status < 400 else None,  # noqa: PLR2004
    )


def _cancelled(request: Request, *, closed: bool, late: bool) -> TransportError:
    if closed:
        return request.failed("the session was closed", retryable=False, kind="closed")
    if late:
        return request.failed("no complete answer in time", timeout=True)
    # An aiohttp session that its owner closes cancels what a task waits for, not the task.
    text = "something that the request waited for was cancelled"
    return request.failed(text, retryable=False, kind="closed")


def _headers(request: Request, authorization: Authorization | None) -> dict[str, str]:
    headers = request.headers
    if authorization is not None:
        headers = {**headers, hdrs.AUTHORIZATION: authorization.header}
    return headers if request.sink is None else {**headers, **request.sink.headers()}


async def _stream(answer: aiohttp.ClientResponse, sink: Sink, extend: Callable[[], None]) -> None:
    """Hand a body on; each piece has as long as a whole attempt has otherwise."""
    await sink.begin(answer.status, answer.headers)
    content = answer.content
    while piece := await content.readany():
        await sink.take(piece)
        extend()


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    # Large bytes aiohttp writes at one go, and warns of it; a file it writes piece by piece.
    return body if body is None or len(body) <= _LARGE else io.BytesIO(body)


async def _success(
    answer: aiohttp.ClientResponse,
    client: Client,
    connection: Connection,
    request: Request,
    authorization: Authorization | None,
) -> Response:
    body, links = b"", None
    if request.method != "HEAD" and request.sink is None:
        body = await _read(answer, client, connection)
        if "json" in answer.headers.get("Content-Type", "json"):
            links = closing_links(body)
            if links is None and not (is_complete(body) if body else _is_framed(answer)):
                raise BodyError("the answer ends in the middle of its JSON")
    return Response(
        answer.status,
        answer.headers,
        body,
        request.request_id,
        request.method,
        request.path,
        links,
        authorization,
    )


def _is_framed(answer: aiohttp.ClientResponse) -> bool:
    return "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers


async def _read(answer: aiohttp.ClientResponse, client: Client, connection: Connection) -> bytes:
    content, limit = answer.content, client.max_body_size
    body = await content.readany()
    if not content.at_eof() or len(body) > limit:
        chunks, size = [body], len(body)
        while size <= limit:
            chunk = await content.readany()
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
        else:
            answer.close()
            raise too_large(limit)
        body = b"".join(chunks)
    encoding = None if connection.decompresses else answer.headers.get("Content-Encoding")
    return body if encoding is None or not body else decompress(body, encoding, limit)


def _retry_after(answer: aiohttp.ClientResponse, now: float) -> float | None:
    headers = answer.headers
    value = headers.get("Retry-After") or headers.get("iTwinPlatform-RateLimit-Retry-After-Seconds")
    return parse_retry_after(value, now)
