"""Sites of boxes in any orientation, and tables of neighbours."""

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.nano import _neighbors
from tests.arguments import refuses

A0 = 4.05
BOXES = {
    "100": ((2, 3, 4), ((1, 0, 0), (0, 1, 0), (0, 0, 1)), 96),
    "110": ((3, 3, 2), ((2, 2, 0), (-1, 1, 0), (0, 0, 1)), 36),
    "111": ((3, 2, 2), ((1, -1, 0), (1, 1, -2), (1, 1, 1)), 72),
    "111 along x": ((2, 3, 2), ((1, 1, 1), (1, -1, 0), (1, 1, -2)), 72),
}
SHELLS = {2.9: 12, 4.1: 18, 5.0: 42, 5.8: 54, 6.9: 78}


@pytest.mark.parametrize("name", BOXES)
def test_boxes(name):
    cells, axes, count = BOXES[name]
    lattice = jm.nano.Lattice(cells, A0, axes)
    assert len(lattice) == count == round(4 * np.prod(lattice.lengths) / A0**3)
    assert (lattice.positions >= 0).all() and (lattice.positions < lattice.lengths - 1e-9).all()
    np.testing.assert_allclose(lattice.positions, lattice.sites @ lattice.rotation.T * A0 / 2, atol=1e-12)
    for radius, neighbors in SHELLS.items():  # repeated, the box is the whole crystal
        table = jm.nano.neighbors(lattice.positions, radius, lattice.cell, (True, True, True))
        assert set((np.asarray(table.index) < count).sum(0)) == {neighbors}


def test_a_table_is_that_of_all_pairs():
    rng = np.random.default_rng(1)
    where, cell = (
        rng.uniform(-9, 9, (9, 3)) + 4 * np.arange(9)[:, None],
        np.array([[5.0, 0, 0], [1, 30, 0], [0, -9, 6]]),
    )
    table = jm.nano.neighbors(where, 8.0, cell, (True, False, True))
    turns = np.array([[a, 0, c] for a in range(-20, 21) for c in range(-20, 21)]) @ cell
    vectors = where[None, :, None] - where[:, None, None] + turns
    distance = np.linalg.norm(vectors, axis=-1)
    for atom in range(9):
        near = (distance[atom] < 8) & (distance[atom] > 0)
        there = np.asarray(table.index)[:, atom] < 9
        found = np.asarray(table.offset)[there, :, atom]
        lengths = np.linalg.norm(found, axis=1)
        assert (np.diff(lengths) >= -1e-12).all()
        np.testing.assert_allclose(lengths, np.sort(distance[atom][near]), atol=1e-12)
        expected = np.concatenate(
            [vectors[atom], np.broadcast_to(np.arange(9.0)[:, None, None], (9, len(turns), 1))], -1
        )
        both = np.concatenate([found, np.asarray(table.index)[there, atom, None]], 1)
        assert {tuple(row) for row in both.round(6)} == {tuple(row) for row in expected[near].round(6)}


def test_a_table_made_in_parts(monkeypatch):
    """Also where atoms that were not looked at first have more neighbours than there are rows for."""
    rng = np.random.default_rng(2)
    wide = 3.0 * np.stack(np.meshgrid(*[np.arange(13)] * 3), -1).reshape(-1, 3)
    dense = 1.2 * np.stack(np.meshgrid(*[np.arange(4)] * 3), -1).reshape(-1, 3) - 30
    where = np.concatenate([wide, wide[:100] + 100])
    place = np.flatnonzero(np.arange(len(where)) % 2)[: len(dense)]  # every second one is looked at
    where[place] = dense + rng.normal(size=dense.shape) * 0.01
    whole = jm.nano.neighbors(where, 4.5)
    monkeypatch.setattr(_neighbors, "_TOGETHER", 97)
    table = jm.nano.neighbors(where, 4.5)
    assert table.index.shape == whole.index.shape == (80, len(where))
    distance = np.linalg.norm(where[:, None] - where[None], axis=-1)
    near = (distance < 4.5) & (distance > 0)
    index, offset = np.asarray(table.index), np.asarray(table.offset)
    there = index < len(where)
    np.testing.assert_array_equal(there.sum(0), near.sum(1))
    row, atom = np.nonzero(there)
    assert near[atom, index[row, atom]].all() and len(set(zip(atom, index[row, atom], strict=True))) == near.sum()
    np.testing.assert_allclose(offset[row, :, atom], where[index[row, atom]] - where[atom], atol=1e-12)
    assert not offset.transpose(0, 2, 1)[~there].any()
    shortest = [min(d, default=np.inf) for d in table.distances()]
    np.testing.assert_allclose(table.sorted().nearest, shortest)
    where[2000] = where[2001] + 0.3
    refuses("positions", jm.nano.neighbors, where, 4.5)


def test_wrong_arguments(unchecked):
    refuses("cells", jm.nano.Lattice, (2, 2), A0)
    refuses("cells", jm.nano.Lattice, (2, 2, 0), A0)
    refuses("cells", jm.nano.Lattice, (2, 2, 2.5), A0)
    refuses("cells", jm.nano.Lattice, (10**4, 10**4, 10**4), A0)
    refuses("lattice_constant", jm.nano.Lattice, (2, 2, 2), -4.05)
    refuses("axes", jm.nano.Lattice, (2, 2, 2), A0, ((1, 1, 0), (0, 1, 0), (0, 0, 1)))
    refuses("axes", jm.nano.Lattice, (2, 2, 2), A0, ((1, 0, 0), (0, -1, 0), (0, 0, 1)))
    refuses("axes", jm.nano.Lattice, (2, 2, 2), A0, ((1, 0, 0), (0, 0, 0), (0, 0, 1)))
    refuses("axes", jm.nano.Lattice, (2, 2, 2), A0, ((1.5, 0, 0), (0, 1, 0), (0, 0, 1)))
    refuses("radius", jm.nano.neighbors, np.zeros((1, 3)), -1.0)
