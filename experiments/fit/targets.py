"""The committed targets: midpoints of cells of different families, and a start of a third family for each.

python experiments/fit/targets.py    # writes targets.json
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import jaxmeta as jm

HERE = Path(__file__).resolve().parent
COUNT, LEAST, MOST = 200, 0.02, 0.10
FAR = (0.1, 0.2)
MOVED = 0.03


def drawn(seed: int) -> list[dict]:
    """Targets with their starts: the nearest cell of a third family, and one at about each of the distances `FAR`."""
    rng, library = np.random.default_rng(seed), jm.dataset.load()
    constants, family = library.constants, library.column("family")
    found = []
    while len(found) < COUNT:
        first = int(rng.integers(len(library)))
        away = np.linalg.norm(constants - constants[first], axis=1) / np.linalg.norm(constants[first])
        others = np.flatnonzero((away > LEAST) & (away < MOST) & (family != family[first]))
        if not len(others):
            continue
        second = int(rng.choice(others))
        target = (constants[first] + constants[second]) / 2
        distance = np.linalg.norm(constants - target, axis=1) / np.linalg.norm(target)
        distance[(family == family[first]) | (family == family[second])] = np.inf
        starts = {"nearest": int(np.argmin(distance))}
        starts |= {f"{far:g}": int(np.argmin(np.abs(distance - far) + 0.01 * rng.random(len(library)))) for far in FAR}
        shift = float(rng.uniform(-MOVED, MOVED))
        volume = float(library.volume_fraction[starts["nearest"]]) + shift
        if not _possible(target, volume):  # there is no cell of this stiffness with so little solid
            volume -= 2 * shift
        found.append({"between": [first, second], "constants": target.tolist(), "starts": starts, "volume": volume})
    return found


def _possible(constants: np.ndarray, volume: float) -> bool:
    """Whether a cell may have this stiffness at a volume fraction, by the bounds of Hashin and Shtrikman."""
    try:
        stiffness = np.asarray(jm.elasticity.CubicConstants(*constants).stiffness)
        jm.cells.checked_target(stiffness, volume, jm.Isotropic(1.0, 0.3))
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    (HERE / "targets.json").write_text(json.dumps(drawn(0), indent=1) + "\n", encoding="utf-8")
