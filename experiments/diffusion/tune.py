"""The weights that come with the package, tuned through the finite elements.

    python experiments/diffusion/tune.py WEIGHTS FOLDER [--library LIBRARY] [--steps 2400] [--rate 2e-4] [options]

FOLDER gets checkpoints, `curve.json` and the averaged weights; the same command goes on after it was stopped.
"""

import argparse
from pathlib import Path

import jaxmeta as jm
from jaxmeta.diffusion import Tuning, load, tune


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--library", type=Path, dest="cells", metavar="LIBRARY")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--cooldown", type=float, default=0.4)
    parser.add_argument("--seed", type=int, default=101)
    given = parser.parse_args()
    settings = Tuning(given.steps, rate=given.rate, cooldown=given.cooldown, seed=given.seed)

    def told(what: str, done: int, total: int, **numbers: float) -> None:
        if done % 25 == 0:
            print(what, done, {name: round(value, 4) for name, value in numbers.items()}, flush=True)

    tune(load(given.weights), jm.dataset.load(given.cells), settings, given.folder, report=told)


if __name__ == "__main__":
    main()
