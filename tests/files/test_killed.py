"""
Downloads that are killed again and again end with exactly the right files.

``ITWIN_ASYNC_KILLS`` sets how many kills there are (8 by default).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from blob_storage import TOKEN, Servers, servers_in_a_thread

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("ITWIN_ASYNC_KILLS", "8"))
HERE = Path(__file__).parent
MB = 2**20


def start(servers: Servers, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "worker.py"), servers.platform.url, TOKEN, str(folder)]
    return subprocess.Popen(
        command,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE.parent / "support"), *sys.path]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.cs")}


def test_killed_at_any_moment(tmp_path: Path) -> None:
    rng = random.Random(11)
    folder = tmp_path / "changesets"
    with servers_in_a_thread() as servers:
        storage = servers.storage
        servers.platform.page_size = 10
        for index in range(1, 41):
            large = index % 5 == 0
            servers.platform.add(index, rng.randbytes(6 * MB if large else rng.randrange(1, 9000)))
        storage.pace = 0.004
        kills, parts, longest = 0, 0, 0.4
        code = -1
        while code != 0:
            assert kills < KILLS + 60
            before = finished(folder)
            seen = len(storage.asked)
            process = start(servers, folder)
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            if kills < KILLS:
                time.sleep(rng.uniform(0.05, longest))  # the moment is what is tested
                process.kill()
            out, err = process.communicate(timeout=120)
            code = process.returncode
            assert code in {0, -signal.SIGKILL}, err
            kills += code != 0
            parts += any(folder.glob("*.part"))
            longest *= 1.0 if finished(folder) - before else 1.5
            asked = {each.path.rpartition("/")[2] for each in storage.asked[seen:]}
            assert not asked & before, "a file that was there was asked for again"
        assert out.split()[-2:] == ["40", "True"]
        assert kills >= min(KILLS, 3)
        assert parts, "no kill left a part behind"
        assert any(each.range for each in storage.asked), "no part was continued"
        expected = {f"{path.rpartition('/')[2]}.cs": data for path, data in storage.blobs.items()}
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected
        # What a kill costs is what was under way, not what had been written.
        lost = sum(storage.sent.values()) - sum(map(len, storage.blobs.values()))
        assert lost <= kills * 4 * 4 * MB
