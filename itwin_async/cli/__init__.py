"""
The command line ``itwin-async``; needs the extra ``cli``.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """
    Run the command line.
    """
    try:
        from itwin_async.cli.app import app
    except ModuleNotFoundError as problem:
        if problem.name not in {"click", "rich", "dotenv"}:
            raise
        sys.exit("itwin-async: the command line needs an extra: pip install 'itwin-async[cli]'")
    app()
