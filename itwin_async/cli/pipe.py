"""Writing to stdout without stopping the event loop while nobody reads."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import stat
import sys
from typing import TextIO

_CHUNK = 4096  # what a writable pipe takes without blocking (PIPE_BUF)


def is_terminal(stream: TextIO | None) -> bool:
    """
    Tell whether somebody looks at a stream; colours may be forced upon others too.

    Args:
        stream: ``sys.stdout`` or ``sys.stderr``; ``None`` if it is closed.

    Returns:
        Whether it is a terminal.

    """
    return stream is not None and stream.isatty()


class Pipe:
    """
    The standard output as bytes; a slow reader slows only what waits for it.

    Raises:
        OSError: there is no standard output.

    """

    def __init__(self) -> None:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "the standard output is closed")
        sys.stdout.flush()
        self._number = sys.stdout.fileno()
        kind = os.fstat(self._number).st_mode
        self._may_block = not stat.S_ISREG(kind) and hasattr(select, "poll")

    def write(self, data: bytes) -> None:
        """
        Write everything at once.

        Args:
            data: what to write.

        Raises:
            OSError: it cannot be written; ``BrokenPipeError`` where the reader has left.

        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._number, rest) :]
            except BlockingIOError:  # a terminal or pipe that its owner made so
                self._is_ready(None)

    async def drain(self, data: bytes) -> None:
        """
        Write everything, as fast as it is read, while other tasks go on.

        Args:
            data: what to write.

        Raises:
            OSError: it cannot be written; ``BrokenPipeError`` where the reader has left.

        """
        if not self._may_block:
            self.write(data)
            return
        rest = memoryview(data)
        while rest:
            if not self._is_ready(0):
                await self._ready()
            try:
                rest = rest[os.write(self._number, rest[:_CHUNK]) :]
            except BlockingIOError:
                await self._ready()

    def _is_ready(self, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(self._number, select.POLLOUT)
        return bool(poll.poll(timeout))

    async def _ready(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_writer(self._number, ready.set)
        except (NotImplementedError, PermissionError):  # a loop or a file that cannot be watched
            await asyncio.to_thread(self._is_ready, None)
            return
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._number)
