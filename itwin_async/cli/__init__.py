"""
The command line ``itwin-async``; needs the extra ``cli``.
"""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """
    Run the command line.
    """
    try:
        from itwin_async.cli.app import start
    except ModuleNotFoundError as problem:
        if problem.name not in {"click", "rich", "dotenv"}:
            raise
        print(  # noqa: T201 - there is no click to say it with
            "itwin-async: the command line needs an extra: pip install 'itwin-async[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    start()
