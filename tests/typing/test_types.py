"""Types are tested like behaviour."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONSUMERS = sorted(map(str, Path(__file__).parent.glob("*consumer.py")))


@pytest.mark.slow
def test_mypy_agrees_with_the_consumers() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", *CONSUMERS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
