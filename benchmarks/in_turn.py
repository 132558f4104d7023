"""Is one tree of the package as quick as another? The same solves by both, in turn, in one run.

git worktree add /tmp/before COMMIT
python benchmarks/in_turn.py /tmp/before                         # against the tree that this file is in
python benchmarks/in_turn.py /tmp/before --rows gyroid_64 --pairs 30

Each tree has a process that compiles first and then solves when asked, so that a slower moment of the machine meets
both. A row is the median of the ratios of neighbouring solves, new over old; the run ends with code 1 if one exceeds
1.05.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIMIT = 1.05
ROWS = {
    "gyroid_64": ("gyroid_64", "float32", "multigrid", False),
    "gyroid_64 with gradient": ("gyroid_64", "float32", "multigrid", True),
    "gyroid_64 float64": ("gyroid_64", "float64", "multigrid", False),
    "gyroid_64 fft": ("gyroid_64", "float32", "fft", False),
    "gyroid_64_grey": ("gyroid_64_grey", "float32", "multigrid", False),
    "random_64": ("random_64", "float32", "multigrid", False),
    "gyroid_32": ("gyroid_32", "float32", "multigrid", False),
    "p_surface_64_cubic": ("p_surface_64_cubic", "float32", "multigrid", False),
    "p_surface_128_cubic with gradient": ("p_surface_128_cubic", "float32", "multigrid", True),
}
"""Problem, precision, preconditioner, and whether the gradient is computed, too."""


def serve(row: str) -> None:
    """Compile, say so, and then solve once for every line that comes in, answering with the seconds it took."""
    import time

    import jax

    sys.path.append(str(HERE))
    from problems import PROBLEMS

    import jaxmeta as jm

    name, precision, preconditioner, gradient = ROWS[row]
    problem = PROBLEMS[name]
    jax.config.update("jax_enable_x64", precision == "float64")
    options = {
        "interpolation": jm.SIMP(problem.penalty, problem.void),
        "symmetry": problem.symmetry,
        "preconditioner": preconditioner,
        "throw": False,
    }

    def trace(density: jax.Array) -> jax.Array:
        return jm.homogenize(density, jm.Isotropic(1.0, 0.3), **options).stiffness.trace()

    solve = jax.jit(jax.value_and_grad(trace) if gradient else trace)
    density = jax.numpy.asarray(problem.density(), precision)
    value = jax.block_until_ready(solve(density))
    print(jax.tree.leaves(value)[0], flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        jax.block_until_ready(solve(density))
        print(time.perf_counter() - start, flush=True)


class Tree:
    """A process that solves with one tree of the package."""

    def __init__(self, path: Path, row: str):
        command = [sys.executable, str(Path(__file__).resolve()), "--serve", row]
        environment = {**os.environ, "PYTHONPATH": str(path)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=path
        )
        self.value = self._answer()

    def _answer(self) -> float:
        assert self._process.stdout is not None
        return float(self._process.stdout.readline())

    def seconds(self) -> float:
        """Of one more solve."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> int:
    """Run the rows and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", nargs="?", type=Path, help="root of the tree to compare with")
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return 0
    slower = []
    print("| row | old, s | new, s | new/old | trace of C, new − old |\n|---|---|---|---|---|")
    for row in given.rows:
        old, new = (Tree(path.resolve(), row) for path in (given.old, HERE.parent))
        pairs = [(old.seconds(), new.seconds()) for _ in range(given.pairs)]
        ratio = statistics.median(b / a for a, b in pairs)
        before, after = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"| {row} | {before:.4f} | {after:.4f} | {ratio:.3f} | {new.value - old.value:.1e} |", flush=True)
        slower += [row] * (ratio > LIMIT)
        for tree in (old, new):
            tree.close()
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
