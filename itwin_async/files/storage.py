"""Requests to storage hosts: by signed addresses, without a token, past the platform's limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from urllib.parse import quote

from yarl import URL

from itwin_async._http.attempt import Request, Response
from itwin_async._http.bodies import Sink
from itwin_async._http.client import Client
from itwin_async._http.credentials import Credentials, Secret
from itwin_async._http.executor import perform
from itwin_async._http.urls import is_loopback, parse
from itwin_async.errors import ApiError, FileTransferError
from itwin_async.retry import Repeat
from itwin_async.session import Session, credentials_of, internals_of

T = TypeVar("T")

# A signature that has run out is refused in each of these ways, by one storage or another.
_REFUSED = frozenset({401, 403})
_EXPIRED = frozenset({"AuthenticationFailed", "ExpiredToken", "InvalidToken"})


class Address:
    """A signed address; it shows neither itself nor its query."""

    __slots__ = ("_url",)

    def __init__(self, href: Secret, name: str) -> None:
        try:
            self._url = parse(href.reveal())
            fits = _is_safe(self._url)
        except ValueError:
            fits = False
        if not fits:
            raise FileTransferError(f"the address of {name} is no https URL", name=name)

    def request(
        self,
        client: Client,
        method: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        sink: Sink | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Request:
        """Make a request to it, or with a further query to a part of it."""
        request_id = client.next_id()
        sent = {
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "x-ms-client-request-id": request_id,
            **(headers or {}),
        }
        if "User-Agent" in client.extra_headers:
            sent["User-Agent"] = client.extra_headers["User-Agent"]
        return Request(
            method,
            self._with(query or {}),
            f"{self._url.scheme}://{self._url.host_port_subcomponent}{self._url.raw_path}",
            sent,
            body,
            request_id,
            sink=sink,
            storage=True,
        )

    def _with(self, query: Mapping[str, str]) -> URL:
        if not query:
            return self._url
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        joint = "&" if self._url.raw_query_string else "?"
        return URL(f"{self._url.with_fragment(None)}{joint}{pairs}", encoded=True)


class SignedFile:
    """
    A file in the storage, whose address is asked for again from the platform when it has expired.

    Args:
        name: for messages.
        href: its address, where that is known.
        ask: asks the platform for its address.
        missing: what may be the reason if there is none.

    """

    def __init__(
        self,
        name: str,
        href: Secret | None,
        ask: Callable[[], Awaitable[str | None]],
        missing: str,
    ) -> None:
        self.name = name
        self._address = None if href is None else Address(href, name)
        self._ask = ask
        self._missing = missing
        self._lock = asyncio.Lock()
        self._generation = 0
        self._renewed_at = -1

    async def use(
        self, send: Callable[[Address], Awaitable[T]], done: Callable[[], int] = lambda: 0
    ) -> T:
        """
        Call something with the address, and again with a new one if it has expired.

        It is renewed once, and once more only after bytes have come or gone since.

        Args:
            send: makes requests with it.
            done: how many bytes have come or gone.

        Raises:
            ApiError: the storage refused.
            FileTransferError: the platform gives no address.

        """
        while True:
            async with self._lock:
                address = self._address or await self._renewed()
                generation = self._generation
            try:
                return await send(address)
            except ApiError as error:
                if not has_expired(error):
                    raise
                async with self._lock:
                    if generation == self._generation:  # no other call has renewed it
                        if done() <= self._renewed_at:
                            raise
                        self._renewed_at = done()
                        self._generation += 1
                        await self._renewed()

    async def once(self, send: Callable[[Address], Awaitable[T]]) -> T:
        """Call something with the address as it is, where a refusal says something else."""
        async with self._lock:
            address = self._address or await self._renewed()
        return await send(address)

    async def _renewed(self) -> Address:
        self._address = None
        href = Secret(await self._ask() or "")
        if not href.reveal():
            raise FileTransferError(
                f"the platform gives no address of {self.name}; {self._missing}", name=self.name
            )
        self._address = Address(href, self.name)
        return self._address


def has_expired(error: ApiError) -> bool:
    """Tell whether an error of the storage may be that of an address that has expired."""
    if "://" not in error.path:
        return False  # the platform's own
    return error.status in _REFUSED or (error.status == 400 and error.code in _EXPIRED)  # noqa: PLR2004


async def send(session: Session, request: Request) -> Response:
    """
    Send a request to the storage, and again where that is right.

    Raises:
        ApiError: the storage answered with an error.
        TransportError: no usable answer came.

    """
    internals = internals_of(session)
    client, options = internals.client, internals.options
    client.check_storage_access()
    deadline = client.retry.clock() + options.timeout.total
    credentials = Credentials.of(None, credentials_of(session).caller)
    return await perform(client, credentials, request, Repeat.SAFE, deadline, options)


def _is_safe(url: URL) -> bool:
    if not url.host or url.user is not None or url.password is not None:
        return False
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host))
