"""Where harvested rows go: SQLite, NDJSON, Parquet, or a sink of the caller's own."""

from __future__ import annotations

from itwin_async.harvest.sinks.base import Sink

__all__ = ["Sink"]
