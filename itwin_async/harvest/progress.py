"""How far a harvest is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import attrs
import msgspec

from itwin_async._tables.html import SHOWN, facts_html


@attrs.frozen
class Failure:
    """
    A list that could not be read to its end.

    Attributes:
        key: what it is the list of.
        title: name of the outer item, if it has one.
        kind: name of the exception's class.
        error: its text.
        source: name of the source that it belongs to.

    """

    key: str
    title: str | None
    kind: str
    error: str
    source: str = ""


@attrs.frozen
class Progress:
    """
    How far a running harvest is.

    Attributes:
        lists_known: lists found so far.
        lists_done: lists that are finished.
        lists_failed: lists that failed.
        all_known: whether no further lists will be found.
        items: rows in the target.
        new_items: rows of this run.
        calls: requests that were sent in this run, repeated ones included.
        refused: how many of them were answered with 429.
        waiting: calls that wait for the quota at this moment.
        seconds: time since this run began.
        bytes: size of the answers of this run, decompressed.
        retried: how many of the calls repeated one that had failed.
        errors: how many of the calls failed, other than with 429.
        quarantined: items that were set aside, since they cannot be read or stored.
        waited: seconds that calls of this run waited for a connection or the quota, summed.
        waiting_until: when calls go again after a 429; or, where the platform does not answer, when
            the harvest gives up. ``None`` if nothing is waited for.
        waiting_for: what is waited for, in a few words; empty for nothing.
        lists_expected: how many lists there will be, as far as one can tell from those found.
        seconds_left: how long it will go on at the pace of this run; ``None`` if nobody can tell.

    """

    lists_known: int
    lists_done: int
    lists_failed: int
    all_known: bool
    items: int
    new_items: int
    calls: int
    refused: int
    waiting: int
    seconds: float
    bytes: int = 0
    retried: int = 0
    errors: int = 0
    quarantined: int = 0
    waited: float = 0.0
    waiting_until: datetime | None = None
    waiting_for: str = ""
    lists_expected: int = 0
    seconds_left: float | None = None

    @property
    def finished(self) -> bool:
        """Whether every list is read or failed."""
        return self.all_known and self.lists_done + self.lists_failed == self.lists_known


@attrs.frozen
class Report:
    """
    What came of a run.

    Attributes:
        target: the target.
        source: what it is a harvest of.
        finished: whether everything is there, except for lists that failed.
        resumed: whether an earlier run had begun the target and left something to do.
        progress: the last counts.
        failures: lists that failed, the first thousand.
        error: why the run ended before its end; ``run`` raises it instead.
        generation: how often everything was read: 1 for a harvest, one more for each refresh.
        changes: how many rows were ``added``, ``changed`` and ``removed``, by the refresh of this
            run or as its file of changes has it.

    """

    target: str
    source: dict[str, str]
    finished: bool
    resumed: bool
    progress: Progress
    failures: list[Failure]
    error: str | None = None
    generation: int = 1
    changes: dict[str, int] = attrs.field(factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everything is there: no list failed, and no item was set aside."""
        told = self.progress
        return self.finished and not told.lists_failed and not told.quarantined

    @property
    def state(self) -> Literal["complete", "incomplete", "unfinished"]:
        """How much is there: everything, all but lists or items with a fault, or less."""
        if not self.finished:
            return "unfinished"
        return "complete" if self.complete else "incomplete"

    def to_json(self) -> str:
        """Write the report as a JSON object."""
        return to_json(self, state=self.state, complete=self.complete)

    def _repr_html_(self) -> str:
        told = self.progress
        facts = {
            "source": described(self.source),
            "lists done": f"{told.lists_done:,} of {told.lists_known:,}",
            "lists failed": f"{told.lists_failed:,}",
            "rows": f"{told.items:,}, {told.new_items:,} of them new",
            "items set aside": f"{told.quarantined:,}",
            "requests": f"{told.calls:,}, {told.refused:,} of them answered with 429",
            "seconds": f"{told.seconds:.1f}",
        }
        if self.error is not None:
            facts["error"] = self.error
        state = "complete" if self.complete else "finished" if self.finished else UNFINISHED
        return facts_html(printed(facts, self.failures), title=f"{self.target}: {state}")


UNFINISHED = "unfinished; run it again to go on"


def described(source: Mapping[str, str]) -> str:
    """Write what a target is a harvest of in one line."""
    return ", ".join(f"{name}: {value}" for name, value in source.items())


def printed(facts: Mapping[str, str], failures: Sequence[Failure]) -> dict[str, str]:
    """Add the first failures to facts, and write out what is no character."""
    shown = {
        f"failed: {failure.title or failure.key}": f"{failure.kind}: {failure.error}"
        for failure in failures[:SHOWN]
    }
    left = {"further failures": f"{len(failures) - SHOWN:,}"} if len(failures) > SHOWN else {}
    return {printable(name): printable(text) for name, text in {**facts, **shown, **left}.items()}


OnProgress: TypeAlias = Callable[[Progress], object]
"""A function, or a coroutine function."""


def to_json(value: attrs.AttrsInstance, **further: object) -> str:
    """Write an object of this package as JSON, whatever bytes the names of files hold."""
    plain = attrs.asdict(value, value_serializer=lambda _, __, member: _printable(member))
    plain |= further
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()


def printable(text: str) -> str:
    """Write out what is no character: bytes of a file name that are no UTF-8, half characters."""
    return text.encode(errors="backslashreplace").decode()


def _printable(value: object) -> object:
    if isinstance(value, dict):
        return {printable(name): _printable(each) for name, each in value.items()}
    return printable(value) if isinstance(value, str) else value
