"""Small beams designed atom by atom, for `atoms.py`, which trains a network on them.

    python experiments/generate/beams.py designs FOLDER  training designs into FOLDER; goes on when given again
    python experiments/generate/beams.py improve FOLDER  the best of every condition, by exchanges at random
    python experiments/generate/beams.py collect FOLDER  all bodies into atoms.npz

Guided beams of 12 × 6 × t cells between free faces keep a share f of their sites, grips included. Designs come from
`jaxmeta.nano.optimize`, run until no exchange makes k larger: from all sites, thinned out at two rates, from the
optimum of an elastic solid, and from a random density. Exchanges at random are scored around each, and the run goes on
from the stiffest; around the best body of every f and t this is done again until it brings nothing. Results go to
atoms.json.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

import jaxmeta as jm
from jaxmeta.io import write_arrays, write_json

HERE = Path(__file__).parent
POTENTIAL = jm.nano.zhou2004("Al")
A0 = jm.nano.crystal(POTENTIAL).lattice_constant
LENGTH, HEIGHT, THICKEST = 12, 6, 3
FRACTIONS = (0.5, 0.55, 0.6, 0.65, 0.7)
THICKNESSES = (2, 3)
STARTS = (("full", 0), ("continuum", 0), ("random", 0), ("full", 1))
RATES = (0.03, 0.02)
"""Shares of the atoms that a step of thinning takes out, by number of the start."""
TRIALS, EXCHANGES = 8, 8
OCTANT = (LENGTH, HEIGHT, THICKEST)
NOTHING = 1e-6
"""Stiffness in eV/Å² of a body whose grips do not hang together."""
REACH = 0.854 * A0
"""Of neighbours, between the first and the second shell."""
ROUNDS = 6


def beam(thickness):
    return jm.nano.cantilever((LENGTH, HEIGHT, thickness), A0, periodic=False)


def folded(problem):
    """Where each site is in the field of the network: an eighth of the beam, (n, 3).

    A half turn about z, and one about y, take the crystal and the load into themselves. What they do to a site with an
    odd sum of numbers is what the mirror at half the length does, so that both kinds fill one octant: in (x, y, z) with
    an even sum are sites of the octant itself, in the others images of sites beyond the mirror.
    """
    ticks = np.round(problem.lattice.positions / (A0 / 2)).astype(int)
    ticks = ticks - ticks.min(0)
    most = ticks.max(0)
    return np.minimum(ticks, most - ticks)


def score(problem, occupied):
    """k and the lowest eigenvalue of a body relaxed from its lattice sites, and where it is then; zeros where it has
    none."""
    sites = problem.lattice.positions[occupied]
    try:
        s = jm.nano.stiffness(
            POTENTIAL, sites, problem.held[occupied], problem.direction[occupied], problem.lattice.cell, problem.pbc
        )
    except (RuntimeError, ValueError):
        return 0.0, 0.0, sites
    return s.k, s.lowest_eigenvalue, s.positions


def in_one_part(positions):
    """Whether atoms hang together as neighbours."""
    first = np.arange(len(positions)) == 0
    return bool(reached(jm.nano.neighbors(positions, REACH), np.ones_like(first), first).all())


def reached(near, there, seen):
    """The atoms, of those that are there, that hang together with some as neighbours."""
    while (more := there & (seen | np.append(seen, False)[near.index].any(0))).sum() > seen.sum():
        seen = more
    return seen


def optimized(problem, fraction, **start):
    return jm.nano.optimize(POTENTIAL, problem, fraction, trials=TRIALS, **start)


def exchanged(problem, occupied, random):
    """Two orbits of atoms at the surface taken out, and as many atoms put in elsewhere at it."""
    place = np.ravel_multi_index(folded(problem).T, (LENGTH, HEIGHT, THICKEST * 2))
    count, free = beside(problem, occupied), ~problem.held
    out = random.permutation(np.unique(place[occupied & free & (count < 10)]))[:2]
    into = random.permutation(np.unique(place[~occupied & free & (count >= 5)]))
    new, target = occupied & ~np.isin(place, out), np.count_nonzero(occupied)
    for orbit in into:
        more = new | (place == orbit)
        if np.count_nonzero(more) <= target:
            new = more
    return new


def beside(problem, occupied):
    """How many neighbours of each site are there."""
    near = jm.nano.neighbors(problem.lattice.positions, REACH)
    return np.append(occupied, False)[near.index].sum(0)


def designs(folder):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    tasks = [(start, seed, f, t) for start, seed in STARTS for f in FRACTIONS for t in THICKNESSES]
    for start, seed, f, t in tasks:
        path = folder / f"{start}{seed}_{t}_{round(100 * f)}.npz"
        if path.exists():
            continue
        began, problem, random = time.process_time(), beam(t), np.random.default_rng([seed, t, round(100 * f)])
        rows = []
        try:
            rows.append(designed(optimized(problem, f, start=start, seed=seed, rate=RATES[seed])))
            rows += hopped(problem, f, rows[0], random)
        except (RuntimeError, ValueError) as error:
            print(path.stem, error)
        written(path, rows)
        print(f"{time.process_time() - began:.0f} s", flush=True)


def hopped(problem, f, row, random):
    """Exchanges at random around a body, scored, and the design from the stiffest if it is stiffer than the body."""
    others = [exchanged(problem, row[0], random) for _ in range(EXCHANGES)]
    rows = [(other, *score(problem, other)[:2], False) for other in others]
    best = max(rows, key=lambda other: other[1] if other[2] > 0 else 0.0)
    return [*rows, designed(optimized(problem, f, start=best[0]))] if best[1] > row[1] else rows


def improve(folder):
    folder = Path(folder)
    for f, t in [(f, t) for f in FRACTIONS for t in THICKNESSES]:
        path = folder / f"best_{t}_{round(100 * f)}.npz"
        if path.exists():
            continue
        began, problem, random = time.process_time(), beam(t), np.random.default_rng([t, round(100 * f)])
        known = [row for other in sorted(folder.glob(f"*_{t}_{round(100 * f)}.npz")) for row in taken(other, problem)]
        best, rows = max(known, key=lambda row: row[1] if row[2] > 0 else 0.0), []
        if not best[3]:
            rows.append(designed(optimized(problem, f, start=best[0])))
            best = max(best, rows[0], key=lambda row: row[1])
        for _ in range(ROUNDS):
            found = hopped(problem, f, best, random)
            rows += found
            new = max(found, key=lambda row: row[1] if row[2] > 0 else 0.0)
            if new[1] <= best[1]:
                break
            best = new
        written(path, rows)
        print(f"{time.process_time() - began:.0f} s", flush=True)


def written(path, rows):
    body, k, lowest, rest = zip(*rows, strict=True) if rows else ((),) * 4
    arrays = {"bodies": np.array([np.packbits(one) for one in body]), "k": k, "lowest": lowest, "rest": rest}
    write_arrays(path, {name: np.asarray(value) for name, value in arrays.items()})
    print(path.stem, np.round(k, 4).tolist(), rest, end=" ")


def taken(path, problem):
    """What `written` wrote."""
    with np.load(path) as file:
        columns = [file[name] for name in ("bodies", "k", "lowest", "rest")]
    body = [np.unpackbits(one, count=len(problem.lattice)).astype(bool) for one in columns[0]]
    return list(zip(body, *(column.tolist() for column in columns[1:]), strict=True))


def designed(d):
    """The body of a run, its k and lowest eigenvalue, and whether it came to rest."""
    return d.occupancy, d.k, d.scored.lowest_eigenvalue, d.result.name == "converged"


def collect(folder):
    """Stable bodies of all tasks in one part, each once, as octants."""
    rows, seen = {name: [] for name in ("octant", "k", "lowest", "rest", "fraction", "thickness", "start")}, set()
    for number, start in enumerate([*(f"{start}{seed}" for start, seed in STARTS), "best"]):
        for f, t in [(f, t) for f in FRACTIONS for t in THICKNESSES]:
            path, problem = Path(folder) / f"{start}_{t}_{round(100 * f)}.npz", beam(t)
            for occupied, k, lowest, rest in taken(path, problem) if path.exists() else ():
                assert occupied.sum() <= problem.sites_of(f)
                packed = np.packbits(octant(problem, occupied))
                sound = k > NOTHING and lowest > 0 and in_one_part(problem.lattice.positions[occupied])
                if sound and (t, packed.tobytes()) not in seen:
                    seen.add((t, packed.tobytes()))
                    for column, value in zip(rows.values(), (packed, k, lowest, rest, f, t, number), strict=True):
                        column.append(value)
    write_arrays(HERE / "atoms.npz", {name: np.array(column) for name, column in rows.items()}, overwrite=True)
    known = data()
    best = frontier(known)
    told = [
        {"thickness": t, "fraction": f, "designs": int((at(known, f, t) & known["rest"]).sum()),
         "bodies": int(at(known, f, t).sum()), "k_best": best[f, t],
         "k_designs": sorted(known["k"][at(known, f, t) & known["rest"]].tolist())}
        for t in THICKNESSES for f in FRACTIONS if (f, t) in best
    ]  # fmt: skip
    kept("data", told)
    for row in told:
        print(row)


def kept(name, value):
    path = HERE / "atoms.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, found | {name: value}, overwrite=True)


def octant(problem, occupied):
    """Where atoms are in the field of the network; all four sites of an orbit are alike."""
    out, place = np.zeros(OCTANT, bool), tuple(folded(problem).T)
    out[place] = occupied
    assert (out[place] == occupied).all()
    return out


def data():
    found = dict(np.load(HERE / "atoms.npz"))
    found["octant"] = np.unpackbits(found["octant"], axis=1, count=int(np.prod(OCTANT))).astype(bool)
    found["octant"] = found["octant"].reshape(-1, *OCTANT)
    return found


def at(known, f, t):
    return (known["fraction"] == f) & (known["thickness"] == t)


def frontier(known):
    """The largest k of all bodies at every fraction and thickness."""
    return {
        (f, t): float(known["k"][at(known, f, t)].max())
        for f in FRACTIONS
        for t in THICKNESSES
        if at(known, f, t).any()
    }


if __name__ == "__main__":
    {"designs": designs, "improve": improve, "collect": collect}[sys.argv[1]](sys.argv[2])
