"""What an operation of the platform is: declared once, called by its typed function."""

from __future__ import annotations

from itwin_async.operations.api import Api
from itwin_async.operations.kinds import (
    ContentOperation,
    EntityOperation,
    NothingOperation,
    Operation,
)
from itwin_async.operations.lists import DetailListOperation, ListOperation
from itwin_async.operations.long_running import LongRunning, StartOperation, wait_for_end
from itwin_async.operations.members import (
    Check,
    Checks,
    changes,
    choice,
    new,
    nullable,
    orders,
    query,
)
from itwin_async.operations.pictures import picture

__all__ = [
    "Api",
    "Check",
    "Checks",
    "ContentOperation",
    "DetailListOperation",
    "EntityOperation",
    "ListOperation",
    "LongRunning",
    "NothingOperation",
    "Operation",
    "StartOperation",
    "changes",
    "choice",
    "new",
    "nullable",
    "orders",
    "picture",
    "query",
    "wait_for_end",
]
