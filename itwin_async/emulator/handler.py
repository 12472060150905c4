"""Between the network and the engine: reads requests, sends responses, breaks connections."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator

import attrs
from aiohttp import web
from aiohttp.web_request import BaseRequest

from itwin_async.emulator.control.emulator import EmulatorControls
from itwin_async.emulator.control.http import Control
from itwin_async.emulator.cors import headers_of, is_preflight, preflight
from itwin_async.emulator.engine import Engine, OutdatedError
from itwin_async.emulator.faults.fault import Fault, check_seconds
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.thumbnails import MAX_IMAGE
from itwin_async.emulator.requests import Request
from itwin_async.emulator.responses import JSON_TYPE, Response
from itwin_async.emulator.storage.signatures import is_storage

_COMPRESS_FROM = 256
_LARGEST_IMAGE_IN_JSON = 7 << 20  # in base64, and what is around it


class Handler:
    """
    The handler of all requests.

    Args:
        emulator: what the control interface controls.
        engine: the platform.
        latency: seconds before each response.
        compress: whether bodies are compressed for clients that accept gzip.

    Raises:
        FaultError: the latency is negative, infinite or no number.

    """

    def __init__(
        self, emulator: EmulatorControls, engine: Engine, *, latency: float, compress: bool
    ) -> None:
        check_seconds("latency", latency)
        self._latency = latency
        self._engine = engine
        self._compress = compress
        self._control = Control(emulator, engine.lock)

    async def handle(self, incoming: BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        epoch = self._engine.epoch
        try:
            body = await _read(incoming) if incoming.can_read_body else b""
        except web.HTTPRequestEntityTooLarge:
            return _plain(errors.TOO_LARGE)
        request = Request(
            method=incoming.method,
            target=incoming.raw_path,
            headers=incoming.headers,
            body=body,
            origin=f"{incoming.scheme}://{incoming.host}",
            epoch=epoch,
        )
        if self._control.handles(request):
            return await _send_control(incoming, self._control.respond(request))
        if is_preflight(request):
            return _plain(preflight(request))
        try:
            return await self._platform(incoming, request)
        except OutdatedError:
            return _hang_up(incoming)

    async def _platform(self, incoming: BaseRequest, request: Request) -> web.StreamResponse:
        if self._latency:
            await asyncio.sleep(self._latency)
        running = self._engine.begin(request)
        fault = None if running.fault is None else running.fault.fault
        wait = 0 if running.fault is None else running.fault.wait()
        if wait:
            await asyncio.sleep(wait)
        if fault and fault.drop == "before":
            return _hang_up(incoming)
        response = self._engine.work(running)
        if fault and fault.drop == "after":
            return _hang_up(incoming)
        running.record.status = response.status
        if fault and (fault.drop == "middle" or fault.trickle):
            return await _send_slowly(incoming, response, fault)
        accepted = incoming.headers.get("Accept-Encoding", "")
        large = len(response.body) >= _COMPRESS_FROM and not is_storage(request.path)
        if self._compress and large and "gzip" in accepted:
            body = gzip.compress(response.body, compresslevel=1)
            headers = {**response.headers, "Content-Encoding": "gzip"}
            return _plain(attrs.evolve(response, body=body, headers=headers))
        return _plain(response)


async def _read(incoming: BaseRequest) -> bytes:
    """Read a body: a file of any size for the storage, an image, or JSON of the usual size."""
    if is_storage(incoming.path):
        return await incoming.content.read()
    if incoming.content_type.startswith("image/"):
        return await _read_up_to(MAX_IMAGE, incoming)
    if incoming.path.rstrip("/").endswith("/image"):
        return await _read_up_to(_LARGEST_IMAGE_IN_JSON, incoming)
    return await incoming.read()


async def _read_up_to(most: int, incoming: BaseRequest) -> bytes:
    # aiohttp before 3.13 takes only less than its limit.
    body = await incoming.clone(client_max_size=most + 1).read()
    if len(body) > most:
        raise web.HTTPRequestEntityTooLarge(most, len(body))
    return body


async def _send_control(
    incoming: BaseRequest, found: Response | Iterator[bytes]
) -> web.StreamResponse:
    if isinstance(found, Response):
        return web.Response(status=found.status, body=found.body or None, headers=found.headers)
    response = web.StreamResponse(headers={"Content-Type": JSON_TYPE})
    try:
        await response.prepare(incoming)
        for piece in found:
            await response.write(piece)
            await asyncio.sleep(0)  # other requests are served in between
        await response.write_eof()
    except ConnectionError:
        return _hang_up(incoming)  # the client went away first
    return response


def _plain(response: Response) -> web.Response:
    return web.Response(
        status=response.status, body=response.body or None, headers=headers_of(response)
    )


def _hang_up(incoming: BaseRequest) -> web.Response:
    if incoming.transport is not None:
        incoming.transport.close()
    return web.Response()


async def _send_slowly(incoming: BaseRequest, whole: Response, fault: Fault) -> web.StreamResponse:
    response = web.StreamResponse(status=whole.status, headers=headers_of(whole))
    response.content_length = len(whole.body)
    body = whole.body
    if fault.drop == "middle":
        body = body[: len(body) // 2]
    size = fault.trickle or len(body) or 1
    try:
        await response.prepare(incoming)
        for start in range(0, len(body), size):
            await response.write(body[start : start + size])
            if fault.trickle:
                await asyncio.sleep(fault.tick)
        if fault.drop != "middle":
            await response.write_eof()
            return response
    except ConnectionError:
        # The client went away first.
        pass
    return _hang_up(incoming)
