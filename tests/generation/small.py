"""A library of a few cells of 24³ voxels with holes, scored, and a model that was never trained."""

import json

import jax
import numpy as np

import jaxmeta as jm
from jaxmeta.dataset import _file, _records
from tests.dataset.libraries import ATTRIBUTES

SIDE = 12
NETWORK = jm.diffusion.WedgeNet(side=SIDE, block=6, features=(8, 8), depth=(0, 0), embedding=8)


def octant(exponent: float, volume_fraction: float) -> np.ndarray:
    whole = jm.geometry.superellipsoid_hole((2 * SIDE,) * 3, exponent, volume_fraction)
    return np.asarray(whole)[:SIDE, :SIDE, :SIDE] > 0.5


def model() -> jm.diffusion.Model:
    return jm.diffusion.new_model(NETWORK, jax.random.key(0))


def write_library(path) -> jm.dataset.Library:
    """Twelve cells of as many families; every third one is a test cell."""
    fractions = np.linspace(0.45, 0.62, 12)
    octants = [octant((2.0, 4.0, 8.0)[i % 3], fraction) for i, fraction in enumerate(fractions)]
    score = jm.cells.Scorer(jm.Isotropic(1.0, 0.3), residual=None, tolerance=1e-6)
    rows = []
    for i, cell in enumerate(score.octants(octants, [{}] * len(octants))):
        rows.append(
            {
                "wedge": _records._wedge.pack(cell.density), "constants": np.array(cell.constants[:3]), "error": 1e-6,
                "volume_fraction": cell.density.mean(), "identity": i, "parent": -1, "family": i, "seed": i,
                "objective": 0, "isotropic": 0, "asked": 0.5, "round": 0, "split": 3 if i % 3 == 1 else 1, "flags": 0,
            }
        )  # fmt: skip
    attributes = ATTRIBUTES | {"side": SIDE, "settings": json.dumps({})}
    _file.write(path, _records.columns(rows, SIDE), attributes, overwrite=False)
    return jm.dataset.load(path)
