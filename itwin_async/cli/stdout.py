"""Writing to stdout; a reader that is slow holds up only the task that writes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno
import os
import select
import sys
import threading
from collections.abc import Iterator

_BLOCK = 4096  # what a pipe takes as a whole or not at all (PIPE_BUF)


def descriptor() -> int:
    """
    Return the file descriptor of stdout.

    Raises:
        OSError: there is no stdout.

    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "the standard output is closed")
    sys.stdout.flush()
    return sys.stdout.fileno()


def write(data: bytes) -> None:
    """Write everything."""
    _write(descriptor(), data)


async def write_while_others_run(data: bytes) -> None:
    """Write everything as fast as it is read; a cancellation leaves no half line behind."""
    written = concurrent.futures.Future[None]()
    written.set_running_or_notify_cancel()
    number = descriptor()

    def work() -> None:
        try:
            _write(number, data)
        except OSError as problem:
            written.set_exception(problem)
        else:
            written.set_result(None)

    # A thread of an executor would keep the process alive until somebody reads.
    threading.Thread(target=work, daemon=True).start()
    await asyncio.wrap_future(written)


def _write(number: int, data: bytes) -> None:
    for block in _blocks(data):
        rest = memoryview(block)
        while rest:
            try:
                rest = rest[os.write(number, rest) :]
            except BlockingIOError:  # its owner made the terminal or the pipe so
                select.select((), (number,), ())


def _blocks(data: bytes) -> Iterator[bytes]:
    """Cut data into blocks of whole lines, as large as a pipe takes at once."""
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + _BLOCK) + 1
        end = end or data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
