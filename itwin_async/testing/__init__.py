"""
Helpers for tests of code that talks to the iTwin Platform; the fixtures come as a pytest plugin.
"""

from __future__ import annotations

from itwin_async.testing.calls import assert_called, assert_calls
from itwin_async.testing.virtual_time import VirtualTime

__all__ = [
    "VirtualTime",
    "assert_called",
    "assert_calls",
]
