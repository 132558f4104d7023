"""Optimise from foams of some seeds, and rank them.

python experiments/designs/seeds.py 400 540
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from run import SHEAR, merit, optimized


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    options = parser.parse_args()
    found = []
    for seed in range(options.first, options.last):
        c = replace(SHEAR, seed=seed)
        try:
            found.append((merit(c, optimized(c, c.start(seed), fresh=True)), seed))
        except ValueError as error:  # nothing is left of the cell at the cut
            print(f"seed {seed}: {error}", flush=True)
            continue
        print(f"seed {seed}: {found[-1][0]:.4f}", flush=True)
    for share, seed in sorted(found, reverse=True)[:8]:
        print(f"{share:.2%} of the bound: seed {seed}")


if __name__ == "__main__":
    main()
