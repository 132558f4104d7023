"""The design of a body atom by atom: starts, the loop with its history, checkpoint and callback, the result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import ArrayLike, Bool, Float

from .._arguments import require_kind
from .._numbers import plain_number, refused, told, whole_number
from ..design import DesignResult, append
from ..runs import Checkpoint, digest
from ._atoms import Atoms
from ._continuum import continuum
from ._crystal import crystal, require_lattice
from ._eam import EAM
from ._evaluate import energies
from ._evolution import Evolution, Info, State
from ._halo import checked_mesh
from ._oracle import Oracle
from ._orbits import Sites, sites_of
from ._problem import Problem
from ._stiffness import Stiffness, stiffness

STARTS = ("continuum", "full", "random")
_SPREAD = (0.5, 1.5)
"""Densities of a random start, over their mean."""


@dataclass(frozen=True, eq=False)
class Design:
    """A body designed atom by atom.

    Args:
        problem: what was designed.
        occupancy: where atoms are, (n,).
        scored: its stiffness and relaxed positions, computed anew from the lattice sites.
        history: a list for each quantity of `Info`, and the seconds of each step.
        result: how the run ended. After `solver_failed` this is the last sound design, perhaps with more atoms than
            asked for.
        seconds: it took.
    """

    problem: Problem
    occupancy: Bool[np.ndarray, "n"]
    scored: Stiffness
    history: dict[str, list]
    result: DesignResult
    seconds: float

    @property
    def sites(self) -> Float[np.ndarray, "n 3"]:
        """All lattice sites, in Å."""
        return self.problem.lattice.positions

    @property
    def k(self) -> float:
        """In eV/Å²."""
        return self.scored.k

    @property
    def positions(self) -> Float[np.ndarray, "m 3"]:
        """Of the relaxed atoms, in Å."""
        return self.scored.positions

    @property
    def held(self) -> Bool[np.ndarray, "m"]:
        """Which of them are held."""
        return self.problem.held[self.occupancy]

    def energies(self, potential: EAM) -> Float[np.ndarray, "m"]:
        """Of the relaxed atoms, in eV."""
        return energies(potential, self.positions, self.problem.lattice.cell, self.problem.pbc)

    def atoms(self, potential: EAM) -> Atoms:
        """The relaxed atoms with their grips, sites and energies, to be written."""
        problem, there = self.problem, self.occupancy
        numbers = {"energy": self.energies(potential), "site": np.flatnonzero(there)}
        return Atoms(
            self.positions, problem.lattice.cell, problem.pbc, potential.element, self.held, problem.direction[there],
            numbers | {"displacement": self.scored.displacement},
        )  # fmt: skip

    @property
    def volume_fraction(self) -> float:
        """Atoms over sites where one may be."""
        return float(np.count_nonzero(self.occupancy) / np.count_nonzero(self.problem.domain))


def optimize(
    potential: EAM,
    problem: Problem,
    volume_fraction: float,
    *,
    start: str | Bool[ArrayLike, "n"] = "continuum",
    seed: int = 0,
    symmetric: bool | str = True,
    rate: float = 0.03,
    trials: int = 32,
    batch: int = 8,
    least: int = 7,
    full: int = 9,
    patches: bool = False,
    thinnest: float = 0.0,
    max_steps: int = 200,
    mesh: Mesh | None = None,
    checkpoint: str | Path | None = None,
    callback: Callable[[int, Info], None] | None = None,
) -> Design:
    """Design a body of greatest stiffness k from a given number of atoms, atom by atom.

    Every design is relaxed from its lattice sites, and its k and lowest eigenvalue are those of `stiffness`. A start
    with too many atoms is thinned out: sites are ranked by their shares of k, averaged over the shells of neighbours,
    over the problem's symmetry and over steps. Then atoms are exchanged: removals and additions are tried one by one,
    the best are made at once, and a design is accepted only if k grows and it is stable. The run ends where no exchange
    makes k larger.

    Args:
        potential: of the atoms.
        problem: what is designed.
        volume_fraction: atoms over sites of the domain, grips included, at most.
        start: "continuum" for the optimum of the same body as an elastic solid, found from a uniform density; "random"
            for one found from a random density; "full" for all sites; or where atoms are, (n,).
        seed: of the random density.
        symmetric: keep designs symmetric, as the problem is. "mirrors" leaves out its shifts along periodic axes, by
            which every period of the crystal is the same.
        rate: share of the atoms that a step of thinning takes out.
        trials: removals, and as many additions, that an exchange tries.
        batch: changes that it makes at once at first.
        least: neighbours below which thinning drops an atom.
        full: neighbours from which on it fills a site.
        patches: try changes by relaxing a patch of 8.2 Å around each in place of the whole body, as large bodies need;
            thinning, too, then puts atoms next to its threshold in order by that, `trials` on either side.
        thinnest: width of a ball, in Å, that goes everywhere in the body: thinning takes out what it does not reach,
            thinner members and edges, beyond what its rate says. In large bodies such atoms slide far before they come
            to rest; 14 Å, seven layers, keeps them away.
        max_steps: most steps.
        mesh: of one axis, whose devices share the atoms in slices along x.
        checkpoint: folder that is saved to, and resumed from if it holds this run.
        callback: called as callback(step, info) after every step; what it raises ends the run.

    Raises:
        ValueError: an argument is not as described.
        RelaxationError: the design that the run ended with cannot be relaxed.

    Example:
        >>> import jaxmeta as jm
        >>> beam = jm.nano.cantilever((8, 4, 1), 4.05)
        >>> d = jm.nano.optimize(jm.nano.zhou2004("Al"), beam, 0.9, start="full", rate=0.1, max_steps=3)
        >>> int(d.occupancy.sum()) < 128, d.k > 0, d.scored.lowest_eigenvalue > 0
        (True, True, True)

    References:
        X. Huang, Y. M. Xie, Finite Elem. Anal. Des. 43, 1039 (2007), for ranks averaged over steps.
    """
    require_kind("potential", potential, (EAM,))
    require_kind("problem", problem, (Problem,))
    fraction = plain_number("volume_fraction", volume_fraction, "lie in (0, 1]", lambda x: 0 < x <= 1)
    rate = plain_number("rate", rate, "lie between 0 and 0.5", lambda x: 0 < x < 0.5)
    trials, batch = whole_number("trials", trials, 1), whole_number("batch", batch, 1)
    least, full = whole_number("least", least), whole_number("full", full, 1)
    max_steps, seed = whole_number("max_steps", max_steps, 1), whole_number("seed", seed)
    require_kind("patches", patches, (bool,))
    thinnest = plain_number("thinnest", thinnest, "not be negative", lambda x: x >= 0)
    if thinnest and not problem.box.straight:
        raise refused("thinnest", "be zero in a skew box", f"is {thinnest:g}")
    if not (isinstance(symmetric, bool) or (isinstance(symmetric, str) and symmetric == "mirrors")):
        raise refused("symmetric", 'be True, False or "mirrors"', told(symmetric))
    target = problem.sites_of(fraction)
    with jax.enable_x64(True):
        require_lattice(potential, problem.lattice.lattice_constant)
        sites = sites_of(problem, symmetric)
        chosen = _checked_start(start, problem, sites)
        begun = {"full": problem.domain.sum(), "continuum": target, "random": target}
        first = int(begun[chosen] if isinstance(chosen, str) else chosen.sum())
        most = min(int(problem.domain.sum()), max(first, target) + int(sites.size.max()))
        loop = Evolution(
            Oracle(potential, problem, sites, most, checked_mesh(mesh)),
            target,
            rate,
            trials,
            batch,
            least,
            full,
            patches,
            thinnest,
        )
        asked = {
            "potential": [digest(leaf) for leaf in jax.tree.leaves(potential)],
            "problem": [
                digest(x) for x in (problem.lattice.positions, problem.held, problem.direction, problem.domain)
            ],
            "pbc": list(problem.pbc),
            "start": chosen if isinstance(chosen, str) else digest(chosen),
            "seed": seed,
            "target": target,
            "symmetric": symmetric,
            "rate": rate,
            "trials": trials,
            "batch": batch,
            "least": least,
            "full": full,
            "patches": patches,
        } | ({"thinnest": thinnest} if thinnest else {})
        return _run(loop, chosen, seed, fraction, asked, max_steps, checkpoint, callback)


def _run(
    loop: Evolution,
    start: str | np.ndarray,
    seed: int,
    fraction: float,
    asked: dict[str, Any],
    max_steps: int,
    checkpoint: str | Path | None,
    callback: Callable[[int, Info], None] | None,
) -> Design:
    problem, began = loop.oracle.problem, time.monotonic()
    phase = getattr(callback, "phase", lambda *_, **__: None)
    history: dict[str, list] = {}
    state = loop.init(problem.domain)
    saved = None if checkpoint is None else Checkpoint(checkpoint, asked)
    try:
        found = None if saved is None else saved.restore(state)
        if found is not None:
            state, history = _host(found[0]), found[1]
        else:
            phase("Starting", "from " + (start if isinstance(start, str) else "the given atoms"))
            state = loop.init(_started(loop, start, seed, fraction))
        phase("Optimising", "atom by atom")
        while int(state.step) < max_steps and state.result == DesignResult.max_steps_reached:
            since = time.monotonic()
            state, info = loop.step(state)
            append(history, {**info._asdict(), "seconds": time.monotonic() - since})
            if saved is not None:
                saved.save(state, history)
            if callback is not None:
                callback(int(state.step), info)
        phase("Scoring", "the design")
        occupancy = state.best.astype(bool)
        lattice = problem.lattice
        scored = stiffness(
            loop.oracle.potential, lattice.positions[occupancy], problem.held[occupancy], problem.direction[occupancy],
            lattice.cell, problem.pbc,
        )  # fmt: skip
        phase("")
    finally:
        if saved is not None:
            if history:
                saved.save(state, history, force=True)
            saved.close()
    seconds = time.monotonic() - began if saved is None else saved.seconds
    return Design(problem, occupancy, scored, history, DesignResult(int(state.result)), seconds)


def _host(state: State) -> State:
    """A restored state as arrays of the host."""
    return State(*(np.asarray(leaf) for leaf in state))


def _started(loop: Evolution, start: str | np.ndarray, seed: int, fraction: float) -> np.ndarray:
    """The first design: grips, and whole orbits."""
    oracle = loop.oracle
    problem, sites = oracle.problem, oracle.sites
    if isinstance(start, np.ndarray):
        return start
    if start == "full":
        return problem.domain
    densities = np.full(len(sites.size), fraction)
    if start == "random":
        densities = densities * np.random.default_rng(seed).uniform(*_SPREAD, len(densities))
    density = continuum(problem, sites, crystal(oracle.potential), fraction, np.minimum(densities, 1.0))
    return sites.highest(density, problem, loop.target)


def _checked_start(start: Any, problem: Problem, sites: Sites) -> str | np.ndarray:
    """Its name, or an array with grips and of whole orbits."""
    if isinstance(start, str):
        if start not in STARTS:
            raise refused("start", f"be one of {', '.join(STARTS)}, or an array", told(start))
        return start
    array = np.asarray(start)
    if array.shape != (len(problem.lattice),):
        raise refused("start", f"have shape ({len(problem.lattice)},)", f"has shape {array.shape}")
    if not np.isin(array, (0, 1)).all():
        raise refused("start", "hold truth values", "holds others")
    there = (array.astype(bool) & problem.domain) | problem.held
    return sites.alike(there.astype(float)) > 0.5
