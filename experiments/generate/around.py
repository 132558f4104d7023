"""More cells near an extreme one: its noise, mixed with fresh noise, and down again.

    python experiments/generate/around.py

The designs of `experiments/designs` are taken back to their noises by the inverted sampler without conditions, mixed on
an arc with fresh noise, 12 draws for each share, and sampled, cut at the volume fraction of the design. Writes
`around.json` and `pictures/around.png`; two minutes on one core.
"""

import sys
from pathlib import Path

import jax
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "designs"))
import run as designs

import jaxmeta as jm
from jaxmeta import diffusion
from jaxmeta.generation import Noises
from jaxmeta.io import write_json

HERE = Path(__file__).resolve().parent
SCORER = jm.cells.Scorer(jm.Isotropic(1.0, 0.3), residual=None, tolerance=1e-4)
SHARES, DRAWS = (0.0, 0.05, 0.1, 0.2), 12
CELLS = {"bulk": "bulk share", "shear": "shear share", "poisson": "Poisson's ratio"}


def figure_of(name, scored):
    """What is extreme, of a scored cell."""
    shares = scored.shares
    return float(scored.constants.poisson if name == "poisson" else getattr(shares, name))


def main():
    model, rows, shown, labels = diffusion.load(), [], [], []
    for name, label in CELLS.items():
        octant = designs.stored(name) > 0.5
        volume = float(octant.mean())
        fresh = [diffusion.symmetric_noise(jax.random.key(number), model.side, model.dtype) for number in range(DRAWS)]
        begun = Noises.of(model, octant, octant)
        shown.append(octant)
        labels.append(f"{name}: {figure_of(name, SCORER.octants(octant[None], [{}])[0]):.3f}")
        for share in SHARES:
            mixed = [begun._replace(second=noise) for noise in fresh[: 1 if share == 0 else DRAWS]]
            octants = np.concatenate([noises.samples([share], volume_fraction=volume) for noises in mixed])
            scored = SCORER.octants(octants, [{}] * len(octants))
            found = [figure_of(name, cell) if cell is not None else np.nan for cell in scored]
            alike = jm.dataset.similarity(octants, octant[None])[:, 0]
            whole = [cell is not None and bool(cell.facts.connected) for cell in scored]
            row = {"cell": name, "share": share, "whole": whole}
            row |= {"found": np.round(found, 4).tolist(), "alike": np.round(alike.astype(float), 3).tolist()}
            rows.append(row)
            print(label, row, flush=True)
            if share in (0.05, 0.2):
                order = np.argsort(found) if name == "poisson" else np.argsort(-np.array(found))
                shown.append(octants[order[0]])
                labels.append(f"{share:g} of noise: {found[order[0]]:.3f}, alike {alike[order[0]]:.2f}")
    write_json(HERE / "around.json", rows, overwrite=True)
    cells = [np.asarray(jm.symmetry.unfold(octant.astype(float))) for octant in shown]
    cells = [np.roll(cell, 32, (0, 1, 2)) if cell[0].mean() > 0.9 else cell for cell in cells]
    jm.render.contact_sheet(HERE / "pictures" / "around.png", cells, labels=labels, columns=3, overwrite=True)


if __name__ == "__main__":
    main()
