"""Run the emulator: `python -m itwin_async.emulator`."""

from __future__ import annotations

import sys

from itwin_async.emulator.command import main

sys.exit(main())
