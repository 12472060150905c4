"""The command ``python -m benchmarks.harvest``."""

from __future__ import annotations

import argparse

from benchmarks.harvest.figures import FIGURES
from benchmarks.table import machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harvest", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small amounts, few rounds")
    parser.add_argument("--only", action="append", choices=FIGURES, help="may be repeated")
    options = parser.parse_args()
    print(machine(), flush=True)
    for name in options.only or FIGURES:
        print(flush=True)
        for line in FIGURES[name](options.quick):
            print(line, flush=True)


if __name__ == "__main__":
    main()
