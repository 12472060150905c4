"""Measures this package against what a good engineer writes by hand: ``python -m benchmarks``."""
