"""Scores of generators on cells that were kept back: `python experiments/diffusion/score.py [WEIGHTS] [options]`.

Each generator gets C11, C12, C44 and the volume fraction of test cells, and makes one cell for each, which is scored as
it is: no choice, no cleaning, no correction. The generators: the nearest training cell, a Gaussian regression of
principal components, and the network, if weights are given. Results are added to a JSON file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse.linalg import eigsh

import jaxmeta as jm
from jaxmeta import diffusion

RANGES = np.array([1.3425703 - 0.0118019, 0.5749314 + 0.0924240, 0.3837908 - 0.0004335])
"""Of Eq. 3 of Yang and others, as their implementation has them."""
COMPONENTS = 256


def wedge(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the wedge's voxels, (3, n), and at how many places each is."""
    places = np.argwhere(np.ones((side,) * 3, bool)).T
    places = places[:, (places[0] <= places[1]) & (places[1] <= places[2])]
    alike = (places[0] == places[1]).astype(int) + (places[1] == places[2])
    return places, np.choose(alike, [6, 3, 1])


class Gaussian:
    """The Gaussian with the means and covariances of components and scaled conditions, under conditions."""

    def __init__(self, octants: np.ndarray, values: np.ndarray):
        self.side = octants.shape[-1]
        self.places, images = wedge(self.side)
        self.root = np.sqrt(images / images.sum())
        fields = np.concatenate([self.rows(octants[k : k + 64]) for k in range(0, len(octants), 64)])
        self.mean = fields.mean(0)
        fields -= self.mean
        gram = fields.T @ fields
        power, self.basis = eigsh(gram, COMPONENTS)
        self.kept = power.sum() / np.trace(gram)
        scores, known = fields @ self.basis, self.features(values)
        self.weights, *_ = np.linalg.lstsq(known, scores, rcond=None)
        rest = scores - known @ self.weights
        self.factor = np.linalg.cholesky(rest.T @ rest / len(rest) + 1e-9 * np.eye(COMPONENTS))

    def rows(self, octants: np.ndarray) -> np.ndarray:
        """Fields of cells, of the wedge's voxels, times the root of the number of their images."""
        fields = np.asarray(jax.jit(jax.vmap(diffusion.to_field))(octants))
        return fields[:, *self.places] * self.root.astype(np.float32)

    @staticmethod
    def features(values: np.ndarray) -> np.ndarray:
        """One, and the conditions on scales on which the cells lie evenly."""
        c11, c12, c44, volume = values.T
        return np.column_stack([np.ones(len(values)), np.log(c11), np.arcsinh(c12 / 0.02), np.log(c44), volume])

    def __call__(self, values: np.ndarray, seed: int) -> list[np.ndarray]:
        random = np.random.default_rng(seed).standard_normal((len(values), COMPONENTS))
        scores = self.features(values) @ self.weights + random @ self.factor.T
        rows = (scores @ self.basis.T + self.mean) / self.root
        numbers = np.zeros((self.side,) * 3, int)
        numbers[tuple(self.places)] = np.arange(len(self.root))
        around = numbers[tuple(np.sort(np.indices((self.side,) * 3).reshape(3, -1), axis=0))]
        fields = rows[:, around].reshape(-1, *(self.side,) * 3)
        return [np.asarray(diffusion.from_field(f, float(v))) for f, v in zip(fields, values[:, 3], strict=True)]


def network(model: diffusion.Model, values: np.ndarray, seed: int, steps: int, scale: float, guide: int) -> list:
    """One cell for each row of conditions; the last `guide` steps are guided by finite elements."""
    cells = []
    for number, value in enumerate(values):
        asked = diffusion.Conditions(jnp.asarray(value, jnp.float32), jnp.ones(4, bool))
        guidance = None
        if guide:
            guidance = diffusion.FiniteElements(asked.values[:3], asked.values[3], last=guide, steps=40 // guide)
        key = jax.random.fold_in(jax.random.key(seed), number)
        side = model.network.side
        cell = diffusion.sample(model, asked, key, steps, guidance, 2 * side, scale=scale)
        cells.append(np.asarray(cell)[:side, :side, :side])
    return cells


def score(octants: list[np.ndarray], wanted: np.ndarray) -> dict[str, np.ndarray]:
    """Errors of cells, nan where the solver did not converge."""
    scorer = jm.cells.Scorer(jm.Isotropic(1.0, 0.3), residual=None, tolerance=1e-4)
    cells = scorer.octants(octants, [{}] * len(octants), count=1)
    got = np.array([[np.nan] * 3 if c is None else [*c.constants][:3] for c in cells])
    off = np.abs(got - wanted)
    connected = [bool(o.any()) and jm.geometry.is_connected(np.asarray(jm.symmetry.unfold(o))) for o in octants]
    return {
        "eq3": (off / RANGES).mean(1),
        "plain": np.linalg.norm(off, axis=1) / np.linalg.norm(wanted, axis=1),
        "connected": np.array(connected),
    }


def overlap(octants: list[np.ndarray], training: np.ndarray) -> np.ndarray:
    """For each cell, the largest overlap with a training cell in either of its two positions."""
    places, images = wedge(training.shape[-1])
    root = np.sqrt(images).astype(np.float32)
    rows = training[:, *places] * root
    best = np.zeros(len(octants))
    for moved in (False, True):
        own = np.stack([o[::-1, ::-1, ::-1] if moved else o for o in octants])[:, *places] * root
        sizes = np.sqrt(np.maximum((own**2).sum(1), 1)[:, None] * (rows**2).sum(1))
        best = np.maximum(best, (own @ rows.T / sizes).max(1))
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", nargs="?")
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--guide", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results.json"))
    given = parser.parse_args()
    library = jm.dataset.load()
    training, test = library.split("training"), library.split("test")
    numbers = np.random.default_rng(1).permutation(len(test))[: given.count]
    octants = training.octants(np.arange(len(training)))
    wanted = np.column_stack([test.constants, test.volume_fraction])[numbers]
    began, note = time.perf_counter(), {}
    if given.weights:
        model = diffusion.load(given.weights)
        name = f"network, {given.steps} steps, scale {given.scale:g}, {given.guide} guided"
        made = network(model, wanted, given.seed, given.steps, given.scale, given.guide)
        note = {"weights": model.count, "training": json.loads(model.notes)}
        methods = {name: made}
    else:
        nearest = [int(jm.dataset.nearest(training, w[:3], w[3]).numbers[0]) for w in wanted]
        gaussian = Gaussian(octants, np.column_stack([training.constants, training.volume_fraction]))
        methods = {
            "nearest training cell": list(octants[nearest]),
            f"Gaussian regression, {COMPONENTS} components": gaussian(wanted, given.seed),
        }
        print(f"components keep {gaussian.kept:.4f} of the variance")
    seconds = (time.perf_counter() - began) / given.count
    results = json.loads(given.results.read_text()) if given.results.exists() else {}
    for name, cells in methods.items():
        found = score(cells, wanted[:, :3])
        near = overlap(cells, octants)
        results[name] = note | {
            "targets": given.count,
            "not converged": int(np.isnan(found["plain"]).sum()),
            "eq3 mean %": round(100 * float(np.nanmean(found["eq3"])), 2),
            "eq3 median %": round(100 * float(np.nanmedian(found["eq3"])), 2),
            "plain mean %": round(100 * float(np.nanmean(found["plain"])), 1),
            "plain median %": round(100 * float(np.nanmedian(found["plain"])), 1),
            "connected %": round(100 * float(found["connected"].mean()), 1),
            "overlap with nearest training cell, median": round(float(np.median(near)), 3),
            "seconds a cell": round(seconds, 2),
        }
        print(name, json.dumps(results[name], indent=1))
    given.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
