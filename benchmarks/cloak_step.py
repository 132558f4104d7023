"""Seconds of a step of a cloak's design, and peak memory, with all layers: `python benchmarks/cloak_step.py`.

One layer is enough, since the section is extruded; this computes forty.
"""

import resource

import jax
import numpy as np

import jaxmeta as jm
from jaxmeta import multiscale


def main() -> None:
    """Print what ten steps took, the first one with compilation."""
    library = jm.dataset.load()
    seconds: list[float] = []
    with jax.enable_x64(True):
        space = multiscale.property_space(library.constants, library.solid, 0.015)
        problem = multiscale.cloak_problem(multiscale.Section("cylinder", depth=40), (0.268, 0.056, 0.053), space)
        multiscale.design_cloak(problem, max_steps=10, callback=lambda _, told: seconds.append(told["seconds"]))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"first step {seconds[0]:.1f} s, others {np.median(seconds[1:]):.2f} s; {memory:.2f} GB")


if __name__ == "__main__":
    main()
