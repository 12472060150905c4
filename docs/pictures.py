"""Make the pictures of the documentation anew: ``python docs/pictures.py``; needs Chromium."""

from __future__ import annotations

import asyncio
import base64
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PICTURES = HERE / "pictures"
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests" / "support")]

import chromium  # noqa: E402 - of the tests

from itwin_async import Session, harvest, imodels, itwins  # noqa: E402
from itwin_async.emulator import Emulator, OAuthClient  # noqa: E402,F401
