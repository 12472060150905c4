"""The emulator as a server: in the caller's loop, or in a thread of its own."""

from __future__ import annotations

from aiohttp import web
from aiohttp.web_request import BaseRequest

from itwin_async.emulator.certificate import Certificate
from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.control.emulator import EmulatorControls
from itwin_async.emulator.engine import Engine
from itwin_async.emulator.handler import Handler
from itwin_async.emulator.hosting import Hosted, HostedInLoop, HostedInThread
from itwin_async.emulator.platform.links import LinkStyle
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.world.state import World


class _Configured(EmulatorControls, Hosted):
    def __init__(
        self,
        *,
        seed: int = 0,
        itwins: int = 12,
        imodels: int = 25,
        favorites: float | bool = True,
        changesets: int = 0,
        named_versions: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        rate_limit: RateLimit | None = None,
        latency: float = 0.0,
        strict: bool = False,
        clock: EmulatorClock | None = None,
        links_origin: str | None = None,
        next_on_last_page: bool = False,
        null_links: bool | None = None,
        escape_ampersand: bool = False,
        hostile_tokens: bool = False,
        storage_link_lifetime: float = 3600.0,
        work_seconds: float = 2.0,
        data_url_images: bool = False,
        compress: bool = False,
        any_token: bool = True,
        tls: bool = False,
        keep_requests: int = 50_000,
    ) -> None:
        style = LinkStyle(
            origin=links_origin,
            next_on_last_page=next_on_last_page,
            null_links=null_links,
            escape_ampersand=escape_ampersand,
            hostile_tokens=hostile_tokens,
            storage_link_lifetime=storage_link_lifetime,
            data_url_images=data_url_images,
        )
        self._engine = Engine(
            World(
                seed,
                itwins,
                imodels,
                favorites=favorites,
                changesets=changesets,
                named_versions=named_versions,
            ),
            clock or EmulatorClock(),
            rate_limit=rate_limit,
            style=style,
            strict=strict,
            keep=keep_requests,
            any_token=any_token,
            work_seconds=work_seconds,
        )
        self._handler = Handler(self, self._engine, latency=latency, compress=compress)
        self._host = host
        self._port = port
        self._certificate = Certificate(host) if tls else None

    def _check_ended(self) -> None:
        self.raise_failures()

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        return await self._handler.handle(incoming)


class Emulator(_Configured, HostedInLoop):
    r"""
    A local iTwin Platform that runs in the caller's event loop.

    Args:
        seed: equal seeds give equal worlds on every machine.
        itwins: how many iTwins to generate.
        imodels: how many iModels to generate in each.
        favorites: which of them are the demo user's favorites: all (True), none (False), a share
            (a float between 0 and 1), or the first so many iTwins and iModels of each iTwin.
        changesets: how many changesets each of these iModels has.
        named_versions: how many named versions, at most as many.
        host: the address to listen on.
        port: the port; 0 picks one.
        rate_limit: how many calls are allowed.
        latency: seconds before each response.
        strict: whether `violations` collects requests that the platform would refuse.
        clock: the emulator's time.
        links_origin: scheme and host of all links; those of the request when None.
        next_on_last_page: whether lists send a `next` although nothing follows.
        null_links: whether missing links are sent as null; as each API does when None.
        escape_ampersand: whether bodies have `\u0026` instead of `&`.
        hostile_tokens: whether continuation tokens break when they are not sent unchanged.
        storage_link_lifetime: seconds for which a signed URL of the storage is valid.
        work_seconds: seconds by its clock that long work takes, such as a clone.
        data_url_images: whether pictures of saved views are `data:` URLs, not signed ones.
        compress: whether bodies are compressed for clients that accept gzip.
        any_token: whether an unknown token is valid, for a user of its own.
        tls: whether it speaks TLS, with a certificate made on the spot; `certificate` has it.
        keep_requests: how many requests are remembered at least.

    """


class EmulatorThread(_Configured, HostedInThread):
    """
    A local iTwin Platform in a thread with an event loop of its own.

    It serves tests with and without a loop, and other processes. Its methods may be called from any
    thread. It takes what `Emulator` takes.
    """
