"""Run the command line: ``python -m itwin_async.cli``."""

from __future__ import annotations

from itwin_async.cli import main

main()
