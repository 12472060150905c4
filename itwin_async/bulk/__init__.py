"""One operation, or one list, for very many items."""

from __future__ import annotations

from itwin_async.bulk.each import Failure, Report, each
from itwin_async.bulk.lists import JoinedIterator, JoinedLists, join
from itwin_async.bulk.results import Errors, Results, map  # noqa: A004 - what it does

__all__ = [
    "Errors",
    "Failure",
    "JoinedIterator",
    "JoinedLists",
    "Report",
    "Results",
    "each",
    "join",
    "map",
]
