"""
Many users of an example backend, for as long as you like: does anything stay behind?

Browsers stream lists, go away midway or before the first page, and write. Tokens are good for a few
calls only: half of the users bring theirs and go on with a new one from the cursor where their list
broke off, for the others the backend keeps a sign-in and renews it by itself. From time to time all
rest, and what is left is measured.
"""

from __future__ import annotations

from benchmarks.backend_load.outcome import Lap, Outcome
from benchmarks.backend_load.run import run
from benchmarks.backend_load.views import Views, views

__all__ = ["Lap", "Outcome", "Views", "run", "views"]
