"""Looking at a target from outside, also while a harvest writes it."""

from __future__ import annotations

import os
from contextlib import closing

import attrs

from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.progress import Failure
from itwin_async.harvest.target import target_files


@attrs.frozen
class Status:
    """
    What is durable in a target.

    Attributes:
        target: the target.
        source: what it is a harvest of.
        lists_known: lists found so far.
        lists_done: lists that are finished.
        lists_failed: lists that failed.
        all_known: whether no further lists will be found.
        items: rows.
        pages: pages that they came in.
        failures: lists that failed, the first thousand.

    """

    target: str
    source: dict[str, str]
    lists_known: int
    lists_done: int
    lists_failed: int
    all_known: bool
    items: int
    pages: int
    failures: list[Failure]

    @property
    def finished(self) -> bool:
        """Whether everything is there, except for lists that failed."""
        return self.all_known and self.lists_done + self.lists_failed == self.lists_known


def status(target: str | os.PathLike[str]) -> Status:
    """
    Tell how far a harvest is; it may be running.

    Raises:
        TargetError: there is no such harvest.
        ArgumentError: its name ends in nothing that is known.

    """
    files = target_files(target)
    with closing(Checkpoint(files.state, writable=False)) as checkpoint:
        totals = checkpoint.totals()
        return Status(
            target=str(files.path),
            source=checkpoint.identity,
            lists_known=totals.lists,
            lists_done=totals.done,
            lists_failed=totals.failed,
            all_known=checkpoint.all_known,
            items=totals.items,
            pages=totals.pages,
            failures=checkpoint.failures(),
        )
