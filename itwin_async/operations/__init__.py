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
from itwin_async.operations.long_running import LongRunning, StartOperation

__all__ = [
    "Api",
    "ContentOperation",
    "DetailListOperation",
    "EntityOperation",
    "ListOperation",
    "LongRunning",
    "NothingOperation",
    "Operation",
    "StartOperation",
]
