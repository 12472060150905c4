"""Small files of the user's, in the folders that the system has for them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

APPLICATION = "itwin-async"


def replace(path: Path, data: bytes) -> None:
    """
    Write a file of mode 0600 at once: a reader sees the old one or the new one.

    Raises:
        OSError: it cannot be written.

    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
