"""A harvest's progress for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from itwin_async._arguments import text, whole
from itwin_async.errors import ConfigurationError
from itwin_async.harvest.progress import Progress

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

_PREFIX = "itwin_harvest_"
_HIGHEST = 65535
_COUNTERS: dict[str, tuple[str, Callable[[Progress], float]]] = {
    "new_items": ("Rows that this run added.", lambda told: told.new_items),
    "calls": ("Requests of this run, repeated ones included.", lambda told: told.calls),
    "retries": ("Requests that repeated one that had failed.", lambda told: told.retried),
    "refusals": ("Requests that were answered with 429.", lambda told: told.refused),
    "errors": ("Requests that failed, other than with 429.", lambda told: told.errors),
    "wait_seconds": (
        "Seconds that calls waited for a connection or the quota, summed.",
        lambda told: told.waited,
    ),
    "received_bytes": ("Size of the answers, decompressed.", lambda told: told.bytes),
}
_GAUGES: dict[str, tuple[str, Callable[[Progress], float]]] = {
    "items": ("Rows in the target.", lambda told: told.items),
    "lists_known": ("Lists found so far.", lambda told: told.lists_known),
    "lists_expected": ("Lists that there will be, estimated.", lambda told: told.lists_expected),
    "lists_done": ("Lists that are finished.", lambda told: told.lists_done),
    "lists_failed": ("Lists that failed.", lambda told: told.lists_failed),
    "quarantined_items": ("Items that were set aside.", lambda told: told.quarantined),
    "waiting_calls": ("Calls that wait for the quota now.", lambda told: told.waiting),
    "waiting_until_timestamp_seconds": (
        "When calls go again, or the harvest gives up; 0 if nothing is waited for.",
        lambda told: 0.0 if told.waiting_until is None else told.waiting_until.timestamp(),
    ),
    "run_seconds": ("Seconds since this run began.", lambda told: told.seconds),
}


class Metrics:
    """
    Metrics of a harvest, to be given as ``on_progress``.

    Args:
        registry: where they are registered; by default that of ``prometheus_client``. It takes the
            metrics of one harvest at a time.
        now: wall clock in seconds since 1970.

    Attributes:
        registry: the registry.
        port: where ``serve_metrics`` serves them; 0 if it does not.

    Raises:
        ConfigurationError: ``prometheus-client`` is not installed, or the registry has the metrics
            of another harvest.

    """

    def __init__(
        self, registry: CollectorRegistry | None = None, *, now: Callable[[], float] = time.time
    ) -> None:
        try:
            import prometheus_client  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            raise ConfigurationError(
                "metrics need an extra: pip install 'itwin-async[metrics]'"
            ) from None
        self.port = 0
        self.registry = prometheus_client.REGISTRY if registry is None else registry
        self._now = now
        self._told: Progress | None = None
        self._updated = self._finished = 0.0
        try:
            self.registry.register(self)
        except ValueError:
            raise ConfigurationError("the registry has the metrics of another harvest") from None

    def __call__(self, progress: Progress) -> None:
        """Take note of how far it is."""
        self._told, self._updated = progress, self._now()
        if progress.finished and not self._finished:
            self._finished = self._updated

    def close(self) -> None:
        """Remove the metrics from the registry."""
        self.registry.unregister(self)

    def describe(self) -> Iterator[Metric]:
        """Name the metrics, for the registry."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """Give the metrics, for the registry; in any thread."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415 - as above
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        told = self._told
        for name, (words, read) in _COUNTERS.items():
            yield CounterMetricFamily(_PREFIX + name, words, 0.0 if told is None else read(told))
        for name, (words, read) in _GAUGES.items():
            yield GaugeMetricFamily(_PREFIX + name, words, 0.0 if told is None else read(told))
        for name, words, value in (
            ("updated_timestamp_seconds", "When the metrics changed last.", self._updated),
            ("finished_timestamp_seconds", "When all was read; 0 until then.", self._finished),
        ):
            yield GaugeMetricFamily(_PREFIX + name, words, value)


@contextmanager
def serve_metrics(port: int, host: str = "127.0.0.1") -> Iterator[Metrics]:
    """
    Serve the metrics of a harvest over HTTP inside the block, by threads of their own.

    Args:
        port: the port; 0 picks one.
        host: the address to listen on; whoever can reach it can read the metrics.

    Raises:
        ConfigurationError: the port is in use, or an extra is not installed.

    """
    whole("port", port, 0, _HIGHEST)
    text("host", host)
    try:
        from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError(
            "metrics need an extra: pip install 'itwin-async[metrics]'"
        ) from None
    metrics = Metrics(CollectorRegistry())
    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as problem:
        raise ConfigurationError(
            f"metrics cannot be served at {host}:{port}: {problem.strerror or problem}"
        ) from None
    metrics.port = server.server_port
    try:
        yield metrics
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
