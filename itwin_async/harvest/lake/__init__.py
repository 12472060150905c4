"""Targets that many machines may write at once, in object stores and databases."""

from __future__ import annotations

from itwin_async.harvest.lake.protocol import LakeState, LakeTable, LakeTarget, ListRows

__all__ = ["LakeState", "LakeTable", "LakeTarget", "ListRows"]
