"""Cells of a wanted stiffness: exact by an independent solve, different, whole, and of the solid that is asked for."""

import itertools
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.cells import checked_target
from jaxmeta.generation._starts import Preparation, model_starts

SOLID = jm.Isotropic(1.0, 0.3)


def unfolded(octant):
    return np.asarray(jm.symmetry.unfold(octant))


def independent(octant, solid=SOLID):
    """C of the whole cell under six periodic loads."""
    h = jm.homogenize(unfolded(octant).astype(float), solid, interpolation=jm.SIMP(1.0, 1e-9), tolerance=1e-5)
    return np.asarray(h.stiffness)


@pytest.mark.slow
def test_starts():
    """Of the library and of a model."""
    _starts_are_cleaned_and_in_order()
    _starts_from_a_model()


def _starts_are_cleaned_and_in_order():
    """Without a fit: what the starts are, with their own stiffness."""
    wanted = np.asarray(jm.Isotropic(0.1, 0.2).stiffness)
    cells = jm.generate(wanted, count=2, fit=False)
    assert len(cells) == 2 and len({cell.provenance["family"] for cell in cells}) == 2
    assert [cell.error for cell in cells] == sorted(cell.error for cell in cells)
    for cell in cells:
        assert cell.facts.thin == 0 and not any(cell.facts.hinges) and cell.facts.connected
        constants = np.array(cell.constants[:3]) - [wanted[0, 0], wanted[0, 1], wanted[3, 3]]
        norm = np.linalg.norm([wanted[0, 0], wanted[0, 1], wanted[3, 3]])
        assert cell.error == pytest.approx(np.linalg.norm(constants) / norm, rel=1e-6)


@pytest.mark.slow
def test_four_different_cells_and_another_solid():
    """A thin spot of the library; and a steel of another Poisson's ratio with a volume fraction and open pores."""
    cells = jm.generate(jm.Isotropic(0.1, 0.2).stiffness, count=4)
    assert len(cells) == 4 and len({cell.provenance["family"] for cell in cells}) == 4
    for first, second in itertools.combinations(cells, 2):
        assert jm.dataset.overlap(first.octant, second.octant) <= 0.75
    steel, wanted = jm.Isotropic(210.0, 0.28), np.asarray(jm.Isotropic(40.0, 0.25).stiffness)
    others = jm.generate(wanted, 0.45, count=1, solid=steel, open_pores=True)
    assert abs(others[0].volume_fraction - 0.45) < 0.002 and others[0].facts.open_pores
    for cell, solid, aim in [*((c, SOLID, jm.Isotropic(0.1, 0.2).stiffness) for c in cells[:1]),
                             (others[0], steel, wanted)]:  # fmt: skip
        aim, got = np.asarray(aim), independent(cell.octant, solid)
        entries = ([0, 0, 3], [0, 1, 3])
        assert np.linalg.norm(got[entries] - aim[entries]) <= 5e-4 * np.linalg.norm(aim[entries])
        assert cell.result == jm.cells.FitResult.converged
        assert cell.facts.connected and cell.facts.thin == 0 and not any(cell.facts.hinges)
    assert any(cell.provenance["start_error"] > 0.02 for cell in cells)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stiffness": np.diag([1.0, 1.0, 1.0, 0.1, 0.1, 0.2])}, "cubic symmetry"),
        ({"stiffness": -np.eye(6)}, "positive definite"),
        ({"stiffness": np.eye(6) * np.nan}, "finite"),
        ({"volume_fraction": 0.05}, "above the bound"),
        ({"count": 0}, "`count` must be at least 1"),
        ({"resolution": 32}, "`resolution` must be 64 or 128"),
        ({"source": "nowhere"}, "`source` must be"),
    ],
)
def test_refusals(change, said):
    given = {"stiffness": np.asarray(jm.Isotropic(0.1, 0.2).stiffness)} | change
    with pytest.raises(ValueError, match="Argument") as caught:
        jm.generate(given.pop("stiffness"), **given)
    assert said in str(caught.value)


def _starts_from_a_model():
    """Of weights that were never trained: cells are cleaned and scored all the same, and a key gives them again."""
    network = jm.diffusion.WedgeNet(side=16, block=4, features=(8, 8), depth=(0, 0), embedding=8)
    model = jm.diffusion.new_model(network, jax.random.key(0))
    preparation = Preparation(checked_target(jm.Isotropic(0.1, 0.2).stiffness, None, SOLID), SOLID, 16, 2, False)
    cells = list(itertools.islice(model_starts(model, preparation, 2, 5), 2))
    for cell in cells:
        assert cell.provenance["start"] == "model" and jm.cells.Facts(unfolded(cell.octant)).thin == 0
    assert cells[0].error == pytest.approx(preparation.target.error(independent(cells[0].octant)), rel=1e-2)
    again = next(iter(model_starts(model, preparation, 2, 5)))
    np.testing.assert_array_equal(again.octant, cells[0].octant)


SAMPLED = """
import os, sys
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[1])]))
import jax, numpy as np, jaxmeta as jm
from jaxmeta.generation._samples import sample_octants
asked = jm.diffusion.conditions(c11=0.1, c12=0.02, c44=0.03, volume_fraction=0.3)
keys = jax.random.split(jax.random.key(3), 2)
np.save(sys.argv[2], sample_octants(jm.diffusion.load(), asked, keys, 32, scale=3.0, guided=2))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or os.cpu_count() == 1, reason="threads cannot be chosen")
def test_a_key_gives_the_same_cells_on_any_number_of_threads(tmp_path):
    """Guided samples of the weights that come with the package: every voxel, on one core and on all."""
    found = []
    for cores in (1, os.cpu_count()):
        path = tmp_path / f"{cores}.npy"
        command = [sys.executable, "-c", SAMPLED, str(cores), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        found.append(np.load(path))
    np.testing.assert_array_equal(*found)
    assert 0.25 < found[0].mean() < 0.35 and (found[0][0] != found[0][1]).any()
