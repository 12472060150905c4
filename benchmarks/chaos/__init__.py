"""
Chaos: many calls at once while faults fire at random, and all they got is held against the truth.
"""

from __future__ import annotations

from benchmarks.chaos.run import Outcome, run

__all__ = ["Outcome", "run"]
