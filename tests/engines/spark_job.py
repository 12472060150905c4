"""
A job of Spark in a process of its own: base URL, folder.

It prints what came of it as one line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

TOKEN, MARKS, KILL_AT = "SPARK_JOB_TOKEN", "SPARK_JOB_MARKS", "SPARK_JOB_KILL_AT"


def credentials() -> Callable[[], Awaitable[str]]:
    """Give a token for each request; the first worker that asks often enough kills itself."""
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        if asked == int(os.environ[KILL_AT]):
            try:
                Path(os.environ[MARKS], "killed").touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return os.environ[TOKEN]

    return token


def main(base_url: str, folder: str) -> None:
    from pyspark.sql import SparkSession

    from itwin_async.spark import ITwinDataSource

    spark = (
        SparkSession.builder.master("local[2,4]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "Europe/Berlin")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    exec(Path(folder, "page.py").read_text(encoding="utf-8"), {})
    spark.dataSource.register(ITwinDataSource)
    imodels = (
        spark.read.format("itwin")
        .option("list", "imodels")
        .option("full", "true")
        .option("include_inactive", "true")
        .option("page_size", "2")
        .option("shards", "3")
        .option("concurrency", "1")
        .option("base_url", base_url)
        .option("credentials", "spark_job:credentials")
        .load()
    )
    imodels.write.parquet(f"{folder}/killed.parquet")
    try:
        spark.read.format("itwin").option("list", "imodels").option("token", "hush").load()
        refused = ""
    except Exception as error:  # noqa: BLE001 - pyspark's own
        refused = str(error)
    spark.stop()
    print(json.dumps(refused))


if __name__ == "__main__":
    main(*sys.argv[1:])
