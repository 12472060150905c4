"""The commands on targets that many machines may write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import *  # noqa: F403
