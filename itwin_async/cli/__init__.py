"""The command line ``itwin-async``; needs the extra ``cli``."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line."""
    if any(find_spec(name) is None for name in ("click", "dotenv", "platformdirs", "rich")):
        print(  # noqa: T201 - there is no click to say it with
            "itwin-async: the command line needs an extra: pip install 'itwin-async[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    try:
        from itwin_async.cli.app import start
    except KeyboardInterrupt:
        sys.exit(130)
    start()
