"""What a person sees on stderr while a command works; a script sees nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from itwin_async.cli.cells import clean
from itwin_async.cli.pipe import is_terminal
from itwin_async.events import AttemptFinished, Event

_PATIENCE = 0.4  # seconds; whatever is quicker needs no progress


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
        able = is_terminal(sys.stderr) and not self._console.is_dumb_terminal
        self._shown = able and not hidden
        self._live: Live | None = None
        self._spinner = Spinner("dots", style="cyan")
        self._started = time.monotonic()
        self._waits_until = 0.0
        self._reason = ""
        self.count = 0
        self.requests = 0
        self.detail = ""

    @property
    def shown(self) -> bool:
        """Whether stderr is a terminal that progress may be shown on."""
        return self._shown

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._started

    def observe(self, event: Event) -> None:
        """
        Take note of a request or a wait; an observer for the session.

        Args:
            event: what happened.

        """
        if isinstance(event, AttemptFinished):
            self.requests += 1
            return
        self._waits_until = time.monotonic() + event.seconds
        self._reason = event.reason

    def start(self) -> None:
        """Begin to show it."""
        if not self._shown:
            return
        self._live = Live(
            console=self._console,
            get_renderable=self._line,
            refresh_per_second=10,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def stop(self) -> None:
        """Remove it from the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take it off the screen while something else is written there."""
        running = self._live is not None
        self.stop()
        yield
        if running:
            self.start()

    def say(self, text: str) -> None:
        """
        Write a closing remark, if there is somebody to read it.

        Args:
            text: the remark.

        """
        if self._shown:
            with self.aside():
                self._console.print(Text(text, style="dim"))

    def _line(self) -> Text:
        if self.seconds < _PATIENCE:
            return Text("")
        count = f"{self.count:,} " if self.count else ""
        parts = [f"{count}{self._noun}", f"{self.seconds:.0f} s"]
        if self.detail:
            parts.insert(1, clean(self.detail))
        left = self._waits_until - time.monotonic()
        if left > 0:
            parts.append(f"trying again in {left:.0f} s ({clean(self._reason)})")
        frame = self._spinner.render(time.monotonic())
        line = Text.assemble(frame if isinstance(frame, Text) else "", " ", " · ".join(parts))
        line.no_wrap, line.overflow = True, "ellipsis"
        return line
