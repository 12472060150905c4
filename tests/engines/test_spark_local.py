"""The PySpark data source in local mode: the page of it, and a Python worker that is killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from documents import blocks

from itwin_async.emulator import EmulatorThread

pq = pytest.importorskip("pyarrow.parquet")

JAVA = 17


def java() -> int:
    """Give the major version of the Java runtime; 0 if there is none."""
    if shutil.which("java") is None:
        return 0
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("pyspark") is None, reason="needs the extra spark"),
    pytest.mark.skipif(java() < JAVA, reason=f"needs a Java runtime of {JAVA} or later"),
]


PAGE = "docs/how-to/spark.md"


def test_a_killed_python_worker_neither_loses_nor_doubles_rows(tmp_path: Path) -> None:
    with EmulatorThread(itwins=6, imodels=11, seed=9, any_token=False) as emulator:
        here = Path(__file__).parent
        environment = {
            **{name: value for name, value in os.environ.items() if "ITWIN" not in name},
            "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])]),
            "PYSPARK_PYTHON": sys.executable,
            "ITWIN_ACCESS_TOKEN": emulator.token,
            "ITWIN_BASE_URL": emulator.base_url,
            "SPARK_JOB_TOKEN": emulator.token,
            "SPARK_JOB_MARKS": str(tmp_path),
            "SPARK_JOB_KILL_AT": "9",  # with one list behind it and pages of another handed over
        }
        (tmp_path / "page.py").write_text("\n".join(blocks(PAGE, "python")), encoding="utf-8")
        job = [sys.executable, str(here / "spark_job.py"), emulator.base_url, str(tmp_path)]
        done = subprocess.run(
            job,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        refused = json.loads(done.stdout.splitlines()[-1])
        assert (tmp_path / "killed").exists()
        assert len(list((tmp_path / "killed.parquet").glob("part-*"))) == 3

        rows = pq.read_table(tmp_path / "killed.parquet").to_pylist()
        expected = sorted(
            (itwin.id, itwin.display_name, imodel.id)
            for itwin in emulator.state.itwins.values()
            for imodel in emulator.state.imodels_of(itwin.id)
        )
        found = sorted((row["list"], row["list_name"], row["id"]) for row in rows)
        assert found == expected
        assert isinstance(rows[0]["extent"]["south_west"]["latitude"], float)
        for row in rows:
            created = datetime.fromisoformat(emulator.state.imodels[row["id"]].created)
            assert row["created_date_time"] == created.replace(tzinfo=None)  # INT96 knows no zone
        active = {itwin.id for itwin in emulator.state.itwins.values() if itwin.status == "Active"}
        page = pq.read_table(tmp_path / "imodels", columns=["list"])["list"].to_pylist()
        assert sorted(page) == [key for key, *_ in expected if key in active]
        assert emulator.token not in done.stderr + done.stdout
        assert "hush" not in refused
        assert "ITWIN_ACCESS_TOKEN" in refused
