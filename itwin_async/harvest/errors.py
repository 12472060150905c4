"""
What can be wrong with a harvest's target.
"""

from __future__ import annotations

from itwin_async.errors import ConfigurationError


class TargetError(ConfigurationError):
    """
    The target cannot be used: foreign, locked, damaged, not writable, or its disk is full.
    """
