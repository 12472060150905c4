"""Harvests on a Dask cluster: one pace for all workers, and shards as tasks."""

from __future__ import annotations
