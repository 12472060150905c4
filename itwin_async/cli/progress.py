"""Progress on stderr while a command works; on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from itwin_async.cli.cells import clean
from itwin_async.events import Event, WaitScheduled

_DELAY = 0.4  # seconds; whatever is quicker needs no progress


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether stdout or stderr is a terminal; ``None`` if it is closed."""
    return stream is not None and stream.isatty()


def live(console: Console, render: Callable[[], RenderableType], *, per_second: int) -> Live:
    """Make a display that leaves the screen when it stops, and the streams alone."""
    return Live(
        console=console,
        get_renderable=render,
        refresh_per_second=per_second,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


class Progress:
    """
    One line that tells how far a command is; shown on a terminal only.

    Args:
        noun: what is counted, in the plural.
        hidden: never show it.

    """

    def __init__(self, noun: str, *, hidden: bool = False) -> None:
        self._noun = noun
        self._console = Console(stderr=True)
        terminal = is_terminal(sys.stderr) and not self._console.is_dumb_terminal
        self.shown = terminal and not hidden
        self._live: Live | None = None
        self._spinner = Spinner("dots", style="cyan")
        self._started = time.monotonic()
        self._waits_until = 0.0
        self._reason = ""
        self.count = 0
        self.detail = ""

    def observe(self, event: Event) -> None:
        """Take note of a wait; an observer for the session."""
        if isinstance(event, WaitScheduled):
            self._waits_until = time.monotonic() + event.seconds
            self._reason = event.reason

    def start(self) -> None:
        """Begin to show it."""
        if not self.shown:
            return
        self._live = live(self._console, self._line, per_second=10)
        self._live.start()

    def stop(self) -> None:
        """Remove it from the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hide it while something else is written to the terminal."""
        running = self._live is not None
        self.stop()
        yield
        if running:
            self.start()

    def say(self, text: str) -> None:
        """Write a closing remark, on a terminal only."""
        if self.shown:
            with self.paused():
                self._console.print(Text(text, style="dim"))

    def _line(self) -> Text:
        seconds = time.monotonic() - self._started
        if seconds < _DELAY:
            return Text("")
        count = f"{self.count:,} " if self.count else ""
        parts = [f"{count}{self._noun}", f"{seconds:.0f} s"]
        if self.detail:
            parts.insert(1, clean(self.detail))
        left = self._waits_until - time.monotonic()
        if left > 0:
            parts.append(f"trying again in {left:.0f} s ({clean(self._reason)})")
        frame = self._spinner.render(time.monotonic())
        line = Text.assemble(frame if isinstance(frame, Text) else "", " ", " · ".join(parts))
        line.no_wrap, line.overflow = True, "ellipsis"
        return line
