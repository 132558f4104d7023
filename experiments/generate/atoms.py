"""Beams of atoms from a network: its training, and candidates beside the best designs of `beams.py`.

    python experiments/generate/atoms.py train FOLDER    the network, from atoms.npz into FOLDER/weights.h5
    python experiments/generate/atoms.py candidates FOLDER
                                                         64 candidates scored, the best corrected
    python experiments/generate/atoms.py draw            the pictures, from atoms.npz and atoms.json

All stable bodies with their k are what the network learns from, under the share f of the sites, the thickness t and k.
Results go to atoms.json.
"""

import json
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from beams import (
    A0,
    FRACTIONS,
    HERE,
    NOTHING,
    OCTANT,
    REACH,
    STARTS,
    THICKNESSES,
    at,
    beam,
    beside,
    data,
    exchanged,
    folded,
    frontier,
    in_one_part,
    kept,
    octant,
    optimized,
    reached,
    score,
)

import jaxmeta as jm

NETWORK = jm.diffusion.BoxNet(OCTANT, (2, 2, 1), features=(64, 64), depth=(2, 2), embedding=64)
TRAINING = jm.diffusion.Training(steps=1500, batch=32, rate=1e-3, cooldown=0.3, decay=0.1)
SCALE, STEPS, CANDIDATES = 2.0, 32, 64
TRIED, BEST, CORRECTIONS, SAME = 12, 3, 12, 1e-6
HELD_OUT = ("random", 0)
"""Start of the designs that the network does not see."""
LEAST, NEAR = 3, 4
"""The clean-up takes out atoms of fewer neighbours, and puts others where so many are."""


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
    examples, others = (
        jm.diffusion.BoxExamples(signs[numbers], jnp.asarray(values[numbers]))
        for numbers in (np.random.default_rng(0).permutation(np.flatnonzero(mask)) for mask in (~held, held))
    )
    schedule, curve = jm.diffusion.Schedule(), []
    state = jm.diffusion.training.init(NETWORK, TRAINING)
    for step in range(1, TRAINING.steps + 1):
        state, loss = jm.diffusion.training.step(NETWORK, TRAINING, schedule, examples, state)
        if step % 100 == 0:
            own, other = (
                jm.diffusion.training.validate(state.model(NETWORK), some, 256).mean() for some in (examples, others)
            )
            curve.append([step, float(loss), float(own), float(other)])
            print(*curve[-1], f"{time.process_time() - began:.0f} s", flush=True)
    jm.diffusion.save(state.model(NETWORK), Path(folder) / "weights.h5", overwrite=True)
    kept("training", {"bodies": int((~held).sum()), "held_out": int(held.sum()), "curve": curve,
                      "cpu_seconds": round(time.process_time() - began)})  # fmt: skip


def bodies(problem, field, f):
    """The body of the highest sites of a field, as it is and cleaned; grips, and whole orbits of four atoms.

    The clean-up takes out atoms with fewer neighbours than three and those that hang on no grip, and in their place the
    highest sites with four neighbours come, until nothing is loose.
    """
    held, target = problem.held, problem.sites_of(f)
    rank = np.where(held, np.inf, field[tuple(folded(problem).T)])

    def highest(rank):
        new = rank == np.inf
        for value in -np.unique(-rank[np.isfinite(rank)]):
            more = new | (rank == value)
            if np.count_nonzero(more) > target:
                break
            new = more
        return new

    first = new = highest(rank)
    near, gone = jm.nano.neighbors(problem.lattice.positions, REACH), np.zeros(len(held), bool)
    while (loose := new & ~held & ((beside(problem, new) < LEAST) | ~reached(near, new, held))).any():
        gone |= loose
        stay = new & ~loose
        come = (beside(problem, stay) >= NEAR) & ~gone & ~held
        new = highest(np.where(stay, np.inf, np.where(come, rank, -np.inf)))
    return first, new


def overlap(one, other):
    """Atoms that both have, over those that either has."""
    return np.count_nonzero(one & other, axis=(-3, -2, -1)) / np.count_nonzero(one | other, axis=(-3, -2, -1))


def candidates(folder):
    known, began = data(), time.process_time()
    model, best = jm.diffusion.load(Path(folder) / "weights.h5"), frontier(known)
    asked, rows, fields = sorted(best), [], []
    for number in range(CANDIDATES):
        f, t = asked[number % len(asked)]
        wanted = jm.diffusion.Conditions(jnp.asarray(condition(known, f, t, best[f, t])), jnp.ones(4, bool))
        field = np.asarray(jm.diffusion.sample_field(model, wanted, jax.random.key(number), STEPS, scale=SCALE))
        problem = beam(t)
        raw, clean = bodies(problem, field, f)
        k, lowest, where = score(problem, clean)
        row = {
            "number": number, "fraction": f, "thickness": t, "k_asked": best[f, t], "k": k, "lowest_eigenvalue": lowest,
            "connected_raw": in_one_part(problem.lattice.positions[raw]),
            "connected_sites": in_one_part(problem.lattice.positions[clean]), "connected": in_one_part(where),
            "stable": k > NOTHING and lowest > 0,
            "changed": float((raw != clean)[~problem.held].mean()),
            "furthest": float(np.linalg.norm(where - problem.lattice.positions[clean], axis=1).max()),
            "alike": float(overlap(octant(problem, clean), known["octant"][at(known, f, t)]).max()),
        }  # fmt: skip
        row["good"] = row["connected"] and row["stable"] and row["changed"] <= 0.05
        rows.append(row)
        fields.append(clean)
        print(rows[-1], flush=True)
    good = sum(row["good"] for row in rows)
    kept("candidates", {"good": good, "of": len(rows), "rows": rows, "cpu_seconds": spent(began)})
    began = time.process_time()
    told = corrections(known, [(row, body) for row, body in zip(rows, fields, strict=True) if row["good"]])
    for row in told[:BEST]:
        problem, mask = beam(row["thickness"]), at(known, row["fraction"], row["thickness"])
        trained = np.flatnonzero(mask & known["rest"] & (known["start"] != STARTS.index(HELD_OUT)))
        own = np.unpackbits(np.array(row["octant"], np.uint8), count=known["octant"][0].size).reshape(OCTANT)
        nearest = trained[np.argmax(overlap(own.astype(bool), known["octant"][trained]))]
        d = optimized(
            problem, row["fraction"], start=known["octant"][nearest][tuple(folded(problem).T)], max_steps=CORRECTIONS
        )
        row |= {"nearest": float(known["k"][nearest]), "nearest_after": d.k}
        print(row, flush=True)
    kept("corrected", {"rows": told, "cpu_seconds": spent(began)})
    began, others = time.process_time(), []
    for row in rows:
        f, t, problem = row["fraction"], row["thickness"], beam(row["thickness"])
        top = known["octant"][at(known, f, t)][np.argmax(known["k"][at(known, f, t)])]
        body = exchanged(problem, top[tuple(folded(problem).T)], np.random.default_rng(row["number"]))
        k, lowest, _ = score(problem, body)
        alike = float(overlap(octant(problem, body), known["octant"][at(known, f, t)]).max())
        others.append(({**row, "k": k if lowest > 0 else 0.0, "alike": alike}, body))
    told = corrections(known, others)
    kept("exchanged", {"rows": told, "cpu_seconds": spent(began)})


def spent(began):
    return round(time.process_time() - began)


def corrections(known, bodies):
    """The stiffest bodies, as shares of the frontier, after some steps of the optimiser; those that are no training
    body, nor relax to the best of them."""
    new = [(row, body) for row, body in bodies
           if abs(row["k"] / row["k_asked"] - 1) > SAME and row["alike"] != 1]  # fmt: skip
    told = []
    for row, body in sorted(new, key=lambda one: -one[0]["k"] / one[0]["k_asked"])[:TRIED]:
        problem, mask = beam(row["thickness"]), at(known, row["fraction"], row["thickness"])
        try:
            d = optimized(problem, row["fraction"], start=body, max_steps=CORRECTIONS)
        except (RuntimeError, ValueError) as error:
            print(row["number"], error)
            continue
        made = octant(problem, d.occupancy)
        told.append({
            **{name: row[name] for name in ("number", "fraction", "thickness", "k_asked", "k")}, "k_after": d.k,
            "over_frontier": d.k / row["k_asked"], "lowest_eigenvalue": d.scored.lowest_eigenvalue,
            "steps": len(d.history["stiffness"]), "alike": float(overlap(made, known["octant"][mask]).max()),
            "octant": np.packbits(made).tolist(),
        })  # fmt: skip
        print(told[-1], flush=True)
    return sorted(told, key=lambda row: -row["over_frontier"])


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
        own = [row for row in found["corrected"]["rows"][:BEST] if row["thickness"] == t]
        plot.plot([row["fraction"] + 0.008 for row in own], [row["k_after"] / t for row in own], "o",
                  color="#111111", mfc="none", label="corrected")  # fmt: skip
        plot.set(
            xlabel=f"share of the sites, beams of {t} cells", ylabel="k per cell of thickness, eV/Å²", ylim=(0, None)
        )
        plot.legend(fontsize=7, frameon=False)
    figure.savefig(HERE / "pictures" / "atoms.png")
    figure = Figure(figsize=(12, 5.2), dpi=110, layout="constrained")
    for column, row in zip(figure.subplots(2, BEST).T, found["corrected"]["rows"][:BEST], strict=True):
        f, t = row["fraction"], row["thickness"]
        problem, mask = beam(t), at(known, f, t)
        made = np.unpackbits(np.array(row["octant"], np.uint8), count=known["octant"][0].size).astype(bool)
        top = known["octant"][mask][np.argmax(known["k"][mask])]
        titles = (
            f"corrected candidate, k {row['k_after']:.4f}",
            f"best training body, k {row['k_asked']:.4f}",
        )
        for plot, cell, title in zip(column, (made.reshape(OCTANT), top), titles, strict=True):
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
    {"train": train, "candidates": candidates, "draw": draw}[sys.argv[1]](*sys.argv[2:])
