"""A Dask cluster in processes of its own: the number of workers; ends with its standard input."""

from __future__ import annotations

import sys

from distributed import LocalCluster


def main(workers: int) -> None:
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
