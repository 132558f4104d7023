"""Beams of atoms from a network: designs that it learns from, its training, candidates beside the best designs.

    python experiments/generate/atoms.py designs FOLDER [PARTS PART]
                                                         training designs into FOLDER, or every so manyeth of them; goes
                                                         on when given again
    python experiments/generate/atoms.py collect FOLDER  all of them into atoms.npz
    python experiments/generate/atoms.py train FOLDER    the network, from atoms.npz into FOLDER/weights.h5
    python experiments/generate/atoms.py candidates FOLDER
                                                         64 candidates scored, the best three corrected
    python experiments/generate/atoms.py draw            the pictures, from atoms.npz and atoms.json

Guided beams of 12 × 6 × t cells between free faces keep a share f of their sites, grips included. Designs come from
`jaxmeta.nano.optimize`, run until no exchange makes k larger: from all sites, from the optimum of an elastic solid, and
from random densities. Exchanges at random are scored around each, and the run goes on from the stiffest. Bodies with
their k are what the network learns from, under f, t and k. Results go to atoms.json.
"""

import json
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxmeta as jm
from jaxmeta.io import write_arrays, write_json

HERE = Path(__file__).parent
POTENTIAL = jm.nano.zhou2004("Al")
A0 = jm.nano.crystal(POTENTIAL).lattice_constant
LENGTH, HEIGHT, THICKEST = 12, 6, 3
FRACTIONS = (0.5, 0.55, 0.6, 0.65, 0.7)
THICKNESSES = (2, 3)
STARTS = (("full", 0), ("continuum", 0), ("random", 0), ("random", 1), ("random", 2))
TRIALS, EXCHANGES = 8, 8
NETWORK = jm.diffusion.BoxNet((LENGTH, HEIGHT, THICKEST), (2, 2, 1), features=(64, 64), depth=(2, 2), embedding=64)
TRAINING = jm.diffusion.Training(steps=3000, batch=32, rate=1e-3, cooldown=0.3, decay=0.1)
SCALE, STEPS, CANDIDATES, BEST, CORRECTIONS = 2.0, 32, 64, 3, 12
HELD_OUT = ("random", 2)
"""Start of the designs on which the training is judged."""
NOTHING = 1e-6
"""Stiffness in eV/Å² of a body whose grips do not hang together."""
LEAST, NEAR = 6, 4
"""The clean-up takes out atoms of fewer neighbours, and puts others where so many are."""


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
    """k and the lowest eigenvalue of a body relaxed from its lattice sites; zeros where it has none."""
    try:
        s = jm.nano.stiffness(
            POTENTIAL, problem.lattice.positions[occupied], problem.held[occupied], problem.direction[occupied],
            problem.lattice.cell, problem.pbc,
        )  # fmt: skip
    except (RuntimeError, ValueError):
        return 0.0, 0.0
    return s.k, s.lowest_eigenvalue


def optimized(problem, fraction, **start):
    return jm.nano.optimize(POTENTIAL, problem, fraction, trials=TRIALS, **start)


def exchanged(problem, occupied, random):
    """Two orbits of atoms at the surface taken out, and as many atoms put in elsewhere at it."""
    place = np.ravel_multi_index(folded(problem).T, (LENGTH, HEIGHT, THICKEST * 2))
    near = jm.nano.neighbors(problem.lattice.positions, 0.8 * A0, problem.lattice.cell, problem.pbc)
    there = np.append(occupied, False)
    count = there[np.where(near.index < len(occupied), near.index, len(occupied))].sum(0)
    free = ~problem.held
    out = random.permutation(np.unique(place[occupied & free & (count < 10)]))[:2]
    into = random.permutation(np.unique(place[~occupied & free & (count >= 5)]))
    new, target = occupied & ~np.isin(place, out), np.count_nonzero(occupied)
    for orbit in into:
        more = new | (place == orbit)
        if np.count_nonzero(more) <= target:
            new = more
    return new


def designs(folder, parts=1, part=0):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    tasks = [(start, seed, f, t) for start, seed in STARTS for f in FRACTIONS for t in THICKNESSES]
    for start, seed, f, t in tasks[int(part) :: int(parts)]:
        path = folder / f"{start}{seed}_{t}_{round(100 * f)}.npz"
        if path.exists():
            continue
        began, problem, random = time.process_time(), beam(t), np.random.default_rng([seed, t, round(100 * f)])
        rows = []
        try:
            d = optimized(problem, f, start=start, seed=seed)
            rows.append(designed(d))
            others = [exchanged(problem, d.occupancy, random) for _ in range(EXCHANGES)]
            rows += [(other, *score(problem, other), False) for other in others]
            best = max(rows, key=lambda row: row[1] if row[2] > 0 else 0.0)
            if best[1] > d.k:
                rows.append(designed(optimized(problem, f, start=best[0])))
        except jm.nano.RelaxationError as error:
            print(path.stem, error)
        body, k, lowest, rest = zip(*rows, strict=True) if rows else ((),) * 4
        np.savez(path, bodies=[np.packbits(one) for one in body], k=k, lowest=lowest, rest=rest)
        print(path.stem, np.round(k, 4).tolist(), rest, f"{time.process_time() - began:.0f} s", flush=True)


def designed(d):
    """The body of a run, its k and lowest eigenvalue, and whether it came to rest."""
    return d.occupancy, d.k, d.scored.lowest_eigenvalue, d.result.name == "converged"


def collect(folder):
    """Stable bodies of all tasks, as octants."""
    rows = {name: [] for name in ("octant", "k", "lowest", "rest", "fraction", "thickness", "start")}
    for number, (start, seed) in enumerate(STARTS):
        for f in FRACTIONS:
            for t in THICKNESSES:
                path = Path(folder) / f"{start}{seed}_{t}_{round(100 * f)}.npz"
                if not path.exists():
                    continue
                problem, found = beam(t), np.load(path)
                for bits, k, lowest, rest in zip(
                    *(found[name] for name in ("bodies", "k", "lowest", "rest")), strict=True
                ):
                    if k > NOTHING and lowest > 0:
                        occupied = np.unpackbits(bits, count=len(problem.lattice)).astype(bool)
                        one = (np.packbits(octant(problem, occupied)), k, lowest, rest, f, t, number)
                        for column, value in zip(rows.values(), one, strict=True):
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
    out = np.zeros(NETWORK.shape, bool)
    out[tuple(folded(problem).T)] = occupied
    return out


def data():
    found = dict(np.load(HERE / "atoms.npz"))
    found["octant"] = np.unpackbits(found["octant"], axis=1, count=int(np.prod(NETWORK.shape))).astype(bool)
    found["octant"] = found["octant"].reshape(-1, *NETWORK.shape)
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


def condition(known, f, t, k):
    """f, t and k as numbers of about unit size; the last by how far the logarithm of k/t is off a line in that of f."""
    x, y = np.log(known["fraction"]), np.log(known["k"] / known["thickness"])
    slope, level = np.polyfit(x, y, 1)
    spread = 2 * np.std(y - level - slope * x)
    code = (np.log(np.asarray(k) / t) - level - slope * np.log(f)) / spread
    middle = (FRACTIONS[0] + FRACTIONS[-1]) / 2
    return np.stack(np.broadcast_arrays(5 * (np.asarray(f) - middle), 2 * np.asarray(t) - 5.0, 0.0, code), -1).astype(
        np.float32
    )


def train(folder):
    known, began = data(), time.process_time()
    values = condition(known, known["fraction"], known["thickness"], known["k"])
    signs = jnp.asarray(2 * known["octant"].astype(np.int8) - 1, jnp.int8)
    held = known["start"] == STARTS.index(HELD_OUT)
    of = lambda mask: jm.diffusion.BoxExamples(signs[np.flatnonzero(mask)], jnp.asarray(values[mask]))  # noqa: E731
    examples, others = of(~held), of(held)
    schedule, best, curve = jm.diffusion.Schedule(), np.inf, []
    state = jm.diffusion.training.init(NETWORK, TRAINING)
    for step in range(1, TRAINING.steps + 1):
        state, loss = jm.diffusion.training.step(NETWORK, TRAINING, schedule, examples, state)
        if step % 100 == 0:
            model = state.model(NETWORK)
            errors = jm.diffusion.training.validate(model, others, 256)
            own = jm.diffusion.training.validate(model, examples, 256)
            curve.append([step, float(loss), float(own.mean()), float(errors.mean())])
            print(*curve[-1], f"{time.process_time() - began:.0f} s", flush=True)
            if errors.mean() < best:
                best = float(errors.mean())
                jm.diffusion.save(model, Path(folder) / "weights.h5", overwrite=True)
    kept("training", {"bodies": int((~held).sum()), "held_out": int(held.sum()), "curve": curve,
                      "cpu_seconds": round(time.process_time() - began)})  # fmt: skip


def bodies(problem, field, f):
    """The body of the highest sites of a field, as it is and cleaned; grips, and whole orbits of four atoms."""
    place, held, target = folded(problem), problem.held, problem.sites_of(f)
    near = jm.nano.neighbors(problem.lattice.positions, 0.8 * A0, problem.lattice.cell, problem.pbc)
    beside = np.where(near.index < len(place), near.index, len(place))
    rank = np.where(held, np.inf, field[tuple(place.T)])

    def highest(rank):
        order = np.unique(-rank[np.isfinite(rank)])
        new = rank == np.inf
        for value in -order:
            more = new | (rank == value)
            if np.count_nonzero(more) > target:
                break
            new = more
        return new

    first = new = highest(rank)
    for _ in range(20):
        count = np.append(new, False)[beside].sum(0)
        loose = new & ~held & ((count < LEAST) | ~part_of_grips(new, held, beside))
        if not loose.any():
            break
        new = new & ~loose
        count = np.append(new, False)[beside].sum(0)
        new = highest(np.where(new, np.inf, np.where((count >= NEAR) & ~loose & (rank < np.inf), rank, -np.inf)))
    return first, new


def part_of_grips(occupied, held, beside):
    """The atoms that hang together with the left grip."""
    seen = held & (np.arange(len(held)) == np.flatnonzero(held)[0])
    while True:
        more = occupied & (seen | np.append(seen, False)[beside].any(0))
        if (more == seen).all():
            return seen
        seen = more


def overlap(one, other):
    """Atoms that both have, over those that either has."""
    return np.count_nonzero(one & other, axis=(-3, -2, -1)) / np.count_nonzero(one | other, axis=(-3, -2, -1))


def candidates(folder):
    known, began = data(), time.process_time()
    model, best = jm.diffusion.load(Path(folder) / "weights.h5"), frontier(known)
    asked = sorted(best)
    rows, fields = [], []
    for number in range(CANDIDATES):
        f, t = asked[number % len(asked)]
        wanted = jm.diffusion.Conditions(jnp.asarray(condition(known, f, t, best[f, t])), jnp.ones(4, bool))
        field = np.asarray(jm.diffusion.sample_field(model, wanted, jax.random.key(number), STEPS, scale=SCALE))
        problem = beam(t)
        raw, clean = bodies(problem, field, f)
        k, lowest = score(problem, clean)
        trained = known["octant"][at(known, f, t) & (known["start"] != STARTS.index(HELD_OUT))]
        near = jm.nano.neighbors(problem.lattice.positions, 0.8 * A0, problem.lattice.cell, problem.pbc)
        beside = np.where(near.index < len(raw), near.index, len(raw))
        joined = [bool((part_of_grips(body, problem.held, beside) == body).all()) for body in (raw, clean)]
        rows.append({
            "number": number, "fraction": f, "thickness": t, "k_asked": best[f, t], "k": k, "lowest_eigenvalue": lowest,
            "connected_raw": joined[0], "connected": joined[1], "stable": k > NOTHING and lowest > 0,
            "changed": float(np.count_nonzero(raw != clean) / len(raw)),
            "alike": float(overlap(octant(problem, clean), trained).max()),
        })  # fmt: skip
        fields.append(clean)
        print(rows[-1], flush=True)
    good = [row["connected"] and row["stable"] and row["changed"] <= 0.05 for row in rows]
    order = np.argsort([-row["k"] / row["k_asked"] if ok else np.inf for row, ok in zip(rows, good, strict=True)])
    corrected = []
    for number in order[:BEST]:
        row, f, t = rows[number], rows[number]["fraction"], rows[number]["thickness"]
        problem, mask = beam(t), at(known, rows[number]["fraction"], rows[number]["thickness"])
        trained = known["octant"][mask]
        nearest = int(np.argmax(overlap(octant(problem, fields[number]), trained)))
        own = trained[nearest][tuple(folded(problem).T)]
        told = {name: row[name] for name in ("number", "fraction", "thickness", "k_asked", "k", "alike")}
        for name, begin in (("corrected", fields[number]), ("nearest", own)):
            d = optimized(problem, f, start=begin, max_steps=CORRECTIONS)
            told |= {f"k_{name}": d.k, f"steps_{name}": len(d.history["stiffness"]), f"result_{name}": d.result.name}
            if name == "corrected":
                told["lowest_eigenvalue"] = d.scored.lowest_eigenvalue
                told["alike_corrected"] = float(overlap(octant(problem, d.occupancy), trained).max())
                told["octant"] = np.packbits(octant(problem, d.occupancy)).tolist()
        told["k_nearest_before"] = float(known["k"][mask][nearest])
        told["over_frontier"] = told["k_corrected"] / best[f, t]
        corrected.append(told)
        print(told, flush=True)
    kept(
        "candidates",
        {"good": int(sum(good)), "of": len(good), "rows": rows, "cpu_seconds": round(time.process_time() - began)},
    )
    kept("corrected", corrected)


def draw():
    from matplotlib.figure import Figure

    known, found = data(), json.loads((HERE / "atoms.json").read_text())
    best, rows = frontier(known), found["candidates"]["rows"]
    figure = Figure(figsize=(11, 4), dpi=110, layout="constrained")
    for plot, t in zip(figure.subplots(1, 2), THICKNESSES, strict=True):
        of = known["thickness"] == t
        for mask, color, label in (
            (of & ~known["rest"], "#c9c9c9", "exchanges"),
            (of & known["rest"], "#3d6fc8", "designs"),
        ):
            plot.plot(known["fraction"][mask] - 0.004, known["k"][mask] / t, ".", color=color, label=label)
        plot.plot(*zip(*[(f, k / t) for (f, at_), k in sorted(best.items()) if at_ == t], strict=True), color="#3d6fc8",
                  label="frontier")  # fmt: skip
        own = [row for row in rows if row["thickness"] == t]
        plot.plot([row["fraction"] + 0.004 for row in own], [row["k"] / t for row in own], "x", color="#c8553d",
                  label="candidates")  # fmt: skip
        own = [row for row in found["corrected"] if row["thickness"] == t]
        plot.plot([row["fraction"] + 0.008 for row in own], [row["k_corrected"] / t for row in own], "o",
                  color="#111111", mfc="none", label="corrected")  # fmt: skip
        plot.set(
            xlabel=f"share of the sites, beams of {t} cells", ylabel="k per cell of thickness, eV/Å²", ylim=(0, None)
        )
        plot.legend(fontsize=7, frameon=False)
    figure.savefig(HERE / "pictures" / "atoms.png")
    figure = Figure(figsize=(12, 5.2), dpi=110, layout="constrained")
    for column, row in zip(figure.subplots(2, BEST).T, found["corrected"], strict=True):
        f, t = row["fraction"], row["thickness"]
        problem, mask = beam(t), at(known, f, t)
        made = np.unpackbits(np.array(row["octant"], np.uint8), count=known["octant"][0].size).astype(bool)
        top = known["octant"][mask][np.argmax(known["k"][mask])]
        titles = f"corrected candidate, k {row['k_corrected']:.4f}", f"best training body, k {row['k_asked']:.4f}"
        for plot, cell, title in zip(column, (made.reshape(NETWORK.shape), top), titles, strict=True):
            show(plot, problem, cell[tuple(folded(problem).T)])
            plot.set_title(f"{title}\nf {f:g}, {t} cells", fontsize=8)
    figure.savefig(HERE / "pictures" / "atoms-bodies.png")


def show(plot, problem, occupied):
    """A beam from its side: columns of atoms along z, darker the fuller."""
    ticks = np.round(problem.lattice.positions[:, :2] / (A0 / 2)).astype(int)
    columns, number = np.unique(ticks, axis=0, return_inverse=True)
    share = np.bincount(number.ravel(), occupied) / np.bincount(number.ravel())
    plot.scatter(*columns.T, s=26, c=share, cmap="Greys", vmin=0, vmax=1, edgecolors="#bbbbbb", linewidths=0.3)
    plot.set_aspect("equal")
    plot.axis("off")


if __name__ == "__main__":
    commands = {"designs": designs, "collect": collect, "train": train, "candidates": candidates, "draw": draw}
    commands[sys.argv[1]](*sys.argv[2:])
