"""Scores of generators on cells that were kept back: `python experiments/diffusion/score.py [WEIGHTS] [options]`.

Each generator gets C11, C12, C44 and the volume fraction of test cells, and makes one cell for each, which is scored as
it is: no choice, no cleaning, no correction. Without weights: the nearest training cell, and a Gaussian regression of
principal components; with weights: the network. Results are added to a JSON file. `jaxmeta evaluate` compares more
ways, on more targets.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.sparse.linalg import eigsh

import jaxmeta as jm
from jaxmeta import diffusion
from jaxmeta.generation import Comparison, Made, Targets, evaluate

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


def score(octants: list[np.ndarray], seconds: float) -> Made:
    """Cells with their stiffness, one for each target, in the form of `evaluate`."""
    scorer = jm.cells.Scorer(jm.Isotropic(1.0, 0.3), residual=None, tolerance=1e-4)
    cells = scorer.octants(octants, [{}] * len(octants))
    got = np.array([[np.nan] * 3 if cell is None else [*cell.constants][:3] for cell in cells])
    whole = [bool(o.any()) and jm.geometry.is_connected(np.asarray(jm.symmetry.unfold(o))) for o in octants]
    each, none = np.full(len(octants), seconds / len(octants)), np.zeros((len(octants), 1), int)
    return Made(np.stack(octants)[:, None], got[:, None], np.array(whole)[:, None], none, none, each, each)


def told(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `Evaluation.rows` in per cent."""
    return {
        "targets": row["cells"],
        "not converged": row["failed"],
        "eq3 mean %": round(100 * row["eq3"]["all"], 2),
        "eq3 median %": round(100 * row["eq3"]["all_median"], 2),
        "plain mean %": round(100 * row["plain"]["all"], 1),
        "plain median %": round(100 * row["plain"]["all_median"], 1),
        "connected %": round(100 * row["connected"], 1),
        "overlap with nearest training cell, median": round(row["library_similarity"], 3),
        "seconds a cell": round(row["seconds"], 2),
    }


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
    some = test[np.random.default_rng(1).permutation(len(test))[: given.count]]
    origin = np.column_stack([some.rows, np.full(len(some), -1)])
    targets = Targets(some.constants, some.volume_fraction, np.ones(len(some), int), origin)
    settings = Comparison(count=1, steps=given.steps, scale=given.scale, guided=max(given.guide, 1), seed=given.seed)
    way, names, note, model = "neighbour", {"neighbour": "nearest training cell"}, {}, None
    if given.weights:
        model, way = diffusion.load(given.weights), "guided" if given.guide else "raw"
        names = {way: f"network, {given.steps} steps, scale {given.scale:g}, {given.guide} guided"}
        note = {"weights": model.count, "training": json.loads(model.notes)}
    found = evaluate(library, targets, [way], settings, model=model)
    if not given.weights:
        began = time.perf_counter()
        octants = training.octants(np.arange(len(training)))
        gaussian = Gaussian(octants, np.column_stack([training.constants, training.volume_fraction]))
        made = gaussian(np.column_stack([targets.constants, targets.volume_fraction]), given.seed)
        found = replace(found, made={**found.made, "gaussian": score(made, time.perf_counter() - began)})
        names["gaussian"] = f"Gaussian regression, {COMPONENTS} components"
        print(f"components keep {gaussian.kept:.4f} of the variance")
    results = json.loads(given.results.read_text()) if given.results.exists() else {}
    for row in found.rows():
        results[names[row["way"]]] = note | told(row)
        print(names[row["way"]], json.dumps(results[names[row["way"]]], indent=1))
    given.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
