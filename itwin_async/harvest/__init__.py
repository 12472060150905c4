"""
Bulk harvest: many lists into a database or files, resumable after any end, nothing lost or doubled.
"""

from __future__ import annotations

from itwin_async.harvest.changes import Change, changes, write_changes
from itwin_async.harvest.distribute import distribute
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.estimate import Estimate, SourceEstimate, estimate
from itwin_async.harvest.geojson import Exported, export_geojson
from itwin_async.harvest.itwin_filters import Filters
from itwin_async.harvest.lists import (
    favorite_imodels,
    favorite_itwins,
    list_names,
    lists,
    recent_imodels,
    recent_itwins,
    tags,
)
from itwin_async.harvest.map import draw_map
from itwin_async.harvest.merge_shares import merge
from itwin_async.harvest.metrics import Metrics, serve_metrics
from itwin_async.harvest.progress import Failure, Progress, Report
from itwin_async.harvest.quarantine import Quarantined, quarantined
from itwin_async.harvest.read_shard import ShardReport, read_shard
from itwin_async.harvest.reading import read
from itwin_async.harvest.run import run
from itwin_async.harvest.shards import Shard, Shards, shards
from itwin_async.harvest.shares import share
from itwin_async.harvest.sinks import Sink
from itwin_async.harvest.sources import DetailSource, Source
from itwin_async.harvest.status import RefreshStatus, Status, check, status

__all__ = [
    "Change",
    "DetailSource",
    "Estimate",
    "Exported",
    "Failure",
    "Filters",
    "Metrics",
    "Progress",
    "Quarantined",
    "RefreshStatus",
    "Report",
    "Shard",
    "ShardReport",
    "Shards",
    "Sink",
    "Source",
    "SourceEstimate",
    "Status",
    "TargetError",
    "changes",
    "check",
    "distribute",
    "draw_map",
    "estimate",
    "export_geojson",
    "favorite_imodels",
    "favorite_itwins",
    "list_names",
    "lists",
    "merge",
    "quarantined",
    "read",
    "read_shard",
    "recent_imodels",
    "recent_itwins",
    "run",
    "serve_metrics",
    "shards",
    "share",
    "status",
    "tags",
    "write_changes",
]
