"""Small libraries with made-up constants, for tests of files."""

import json

import numpy as np

from jaxmeta.dataset import _file, _records

ATTRIBUTES = {
    "side": 6, "young": 1.0, "poisson": 0.3, "void": 1e-9, "settings": json.dumps({"seed": 1}), "version": "0",
    "licence": "CC BY 4.0",
}  # fmt: skip


def octant(seed: int, side: int = 6) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(size=(side,) * 3)
    return noise[tuple(np.sort(np.indices(noise.shape), axis=0))] > 0.5


def columns(count: int, side: int = 6, first: int = 0) -> _file.Columns:
    rows = []
    for i in range(first, first + count):
        solid = octant(i, side)
        random = np.random.default_rng(1000 + i)
        rows.append(
            {
                "wedge": _records._wedge.pack(solid), "constants": random.uniform(0.1, 1, 3), "error": 1e-6,
                "volume_fraction": solid.mean(), "identity": i, "parent": -1, "family": i // 3, "seed": i,
                "objective": i % 3, "isotropic": i % 2, "asked": 0.5, "round": 0, "split": 1 + i % 3, "flags": 0,
            }
        )  # fmt: skip
    return _records.columns(rows, side)
