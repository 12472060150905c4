"""Between the network and the platform: reads requests, sends answers, breaks connections."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

from aiohttp import web

from itwin_async.emulator.control.http import PREFIX, Control
from itwin_async.emulator.control.page import page
from itwin_async.emulator.engine import OutdatedError
from itwin_async.emulator.faults.plan import check_seconds
from itwin_async.emulator.platform import errors
from itwin_async.emulator.requests import Request

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

    from itwin_async.emulator.control.emulator import EmulatorControls
    from itwin_async.emulator.engine import Engine
    from itwin_async.emulator.faults.plan import Fault
    from itwin_async.emulator.responses import Answer

_COMPRESS_FROM = 256


class Gate:
    """
    The handler of all requests.

    Args:
        emulator: what the control interface controls.
        engine: the platform.
        latency: seconds that every answer takes.
        compress: whether bodies are compressed for clients that accept gzip.

    Raises:
        FaultError: the latency is negative, infinite or no number.

    """

    def __init__(
        self, emulator: EmulatorControls, engine: Engine, *, latency: float, compress: bool
    ) -> None:
        check_seconds("latency", latency)
        self.latency = latency
        self._engine = engine
        self._compress = compress
        self._control = Control(emulator, engine.lock)

    async def handle(self, incoming: BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        epoch = self._engine.epoch
        try:
            body = await incoming.read() if incoming.can_read_body else b""
        except web.HTTPRequestEntityTooLarge:
            return _plain(errors.too_large())
        request = Request(
            method=incoming.method,
            target=incoming.raw_path,
            headers=incoming.headers,
            body=body,
            origin=f"{incoming.scheme}://{incoming.host}",
            epoch=epoch,
        )
        if request.path == "/" and request.method == "GET":
            return _plain(page())
        if request.path.startswith(PREFIX):
            return _plain(self._control.answer(request))
        try:
            return await self._platform(incoming, request)
        except OutdatedError:
            return _hang_up(incoming)

    async def _platform(self, incoming: BaseRequest, request: Request) -> web.StreamResponse:
        if self.latency:
            await asyncio.sleep(self.latency)
        record, entry, caller = self._engine.begin(request)
        if entry is None:
            answer = self._engine.work(request, caller, None)
            record.status = answer.status
            return self._response(request, answer)
        fault, wait = entry.fault, entry.wait()
        if wait:
            await asyncio.sleep(wait)
        if fault.drop == "before":
            return _hang_up(incoming)
        answer = self._engine.work(request, caller, entry)
        if fault.drop == "after":
            return _hang_up(incoming)
        record.status = answer.status
        if fault.drop == "middle" or fault.trickle:
            return await _send_slowly(incoming, answer, fault)
        return self._response(request, answer)

    def _response(self, request: Request, answer: Answer) -> web.Response:
        body, headers = answer.body, answer.headers
        if (
            self._compress
            and len(body) >= _COMPRESS_FROM
            and "gzip" in request.headers.get("Accept-Encoding", "")
        ):
            body = gzip.compress(body, compresslevel=1)
            headers = {**headers, "Content-Encoding": "gzip"}
        return web.Response(status=answer.status, body=body or None, headers=headers)


def _plain(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body or None, headers=answer.headers)


def _hang_up(incoming: BaseRequest) -> web.Response:
    if incoming.transport is not None:
        incoming.transport.close()
    return web.Response()


async def _send_slowly(incoming: BaseRequest, answer: Answer, fault: Fault) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    body = answer.body
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
