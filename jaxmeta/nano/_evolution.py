"""The loop that designs atom by atom: `init` and `step`, which see stiffness alone through an oracle.

**Thinning.** While there are more atoms than asked for, a step ranks all sites by their filtered shares of k, averaged
over steps, and keeps those of highest rank: fewer atoms than before by a rate, and others than before, as sites next to
atoms with high shares come back. A step that ends in an unsound design gives way to smaller ones from the last sound
design, which only take atoms out; one that loses much of k does so once. Atoms of a large body that slide away from
their sites go, and the rest is relaxed anew. With patches, the atoms next to the threshold are put in order by what k
loses when each is taken out and a patch around it relaxed anew.

**Exchange.** Then atoms move at a constant number. The shares say which atoms may go and which sites may get one; each
of these changes is tried by relaxing the whole body anew, or a patch of it. Several removals and additions, the best
ones, are made at once, then fewer, until a design has a larger k and is stable. So k grows in every step, and where no
exchange makes it larger the design rests.

Changes are made on whole orbits of the problem's symmetry.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from ..design import DesignResult
from ._oracle import Evaluated, Oracle

_MEMORY = 0.5
"""Weight of the last step's ranks in those of this one."""
_OUTLIER = 8.0
"""Shares count up to so many times their mean."""
_ADMITTED = 0.05
"""Sites that a step of thinning may fill, over its atoms."""
_SETTLING = 6
"""Steps with all atoms taken out in which thinning still exchanges atoms, whether k grows or not; the best goes on."""
_NEAR = 3
"""A site gets an atom only where so many neighbours are."""
_HANGING = 5
"""Thinning makes up for dropped atoms where so many neighbours are."""
_PAIRS = 4
"""Single exchanges that are tried at the end: so many best removals with so many best additions."""
_AT_REST = 1e-2
"""A patch with a larger force left, in eV/Å, tells nothing."""
_GROWTH = 1e-6
_FALL, _BRISK = 0.7, 0.5
"""A step after which k is below this share of what it was gives way to one of half the rate, which is kept if it falls
again: k of loose bodies goes up and down, and the steps that follow mend more than smaller steps would."""
_SLOW = 0.1
"""Share of the rate below which what was taken out last, and cannot be spared, is kept."""
_LEAST_RATE = 1e-4
_LEAVING = 0.01
"""Largest share of the atoms that goes for leaving its sites."""


class Phase(IntEnum):
    """What a step does."""

    thin = 0
    exchange = 1


class State(NamedTuple):
    """Everything that the next step needs.

    Attributes:
        occupancy: the design, one where there is an atom, (n,).
        memory: ranks of the sites, (n,).
        step: steps taken.
        phase: a `Phase`.
        rate: share of the atoms that the next thinning takes out.
        left: steps in which thinning still exchanges atoms.
        batch: removals and additions that the next exchange begins with.
        last: stiffness of the last sound design.
        k: that of the best one with the atoms asked for; zero before there is one.
        best: that design, the last sound one before there is one.
        result: a `DesignResult`; `max_steps_reached` as long as the run goes on.
    """

    occupancy: np.ndarray
    memory: np.ndarray
    step: np.ndarray
    phase: np.ndarray
    rate: np.ndarray
    left: np.ndarray
    batch: np.ndarray
    last: np.ndarray
    k: np.ndarray
    best: np.ndarray
    result: np.ndarray


class Info(NamedTuple):
    """What a step saw.

    Attributes:
        phase: "thin" or "exchange".
        atoms: of the design after the step.
        stiffness: of the design that the step began with, or of what it ended with where it exchanged atoms; in eV/Å².
        lowest_eigenvalue: of it, in eV/Å².
        changed: sites that changed.
        trials: changes that were tried.
        solver_steps: of conjugate gradients, to relax and solve the design of `stiffness`.
    """

    phase: str
    atoms: int
    stiffness: float
    lowest_eigenvalue: float
    changed: int
    trials: int
    solver_steps: int


@dataclass(frozen=True, eq=False)
class Evolution:
    """`init` and `step` of a design run.

    Args:
        oracle: the stiffness.
        target: number of atoms, at most.
        rate: share of the atoms that a step of thinning takes out.
        trials: removals, and as many additions, that an exchange tries; with patches, removals on either side of the
            threshold that thinning tries.
        batch: of these, how many it makes at once, at first.
        least, full: neighbours below which thinning drops an atom, and from which on it fills a site.
        patches: relax patches in place of the whole body where a change is tried.
        thinnest: members thinner than that, in Å, go in thinning.
    """

    oracle: Oracle
    target: int
    rate: float
    trials: int
    batch: int
    least: int
    full: int
    patches: bool = False
    thinnest: float = 0.0

    def init(self, occupied: Bool[np.ndarray, "n"]) -> State:
        """State before the first step."""
        number, none = np.asarray, np.asarray(0)
        phase = Phase.thin if np.count_nonzero(occupied) > self.target else Phase.exchange
        return State(
            occupancy=occupied.astype(np.int8), memory=np.zeros(len(occupied)), step=none, phase=number(int(phase)),
            rate=number(self.rate), left=number(_SETTLING), batch=number(self.batch), last=number(0.0), k=number(0.0),
            best=occupied.astype(np.int8), result=number(int(DesignResult.max_steps_reached)),
        )  # fmt: skip

    def step(self, state: State) -> tuple[State, Info]:
        """One step; a pure function of the state."""
        after, info = self._thin(state) if state.phase == Phase.thin else self._exchange(state)
        return after._replace(step=state.step + 1), info

    def _thin(self, state: State) -> tuple[State, Info]:
        occupied, found = self._staying(state.occupancy.astype(bool))
        state = state._replace(occupancy=occupied.astype(np.int8))
        fell = found.k < _FALL * float(state.last) and float(state.rate) > _BRISK * self.rate
        if not found.sound and state.k > 0:  # the target is reached
            after = state._replace(occupancy=state.best, phase=np.asarray(int(Phase.exchange)))
            return after, self._info("thin", found, state.best.astype(bool), occupied, 0)
        if not found.sound or (fell and not state.k):
            rate, memory = float(state.rate) / 2, state.memory
            if rate < _SLOW * self.rate:  # what was taken out last is needed
                memory = np.where(state.best.astype(bool) & ~occupied, memory.max(), memory)
            failed = DesignResult.solver_failed if not memory.any() or rate < _LEAST_RATE else state.result
            new = self._cut(state.best.astype(bool), memory, rate)
            after = state._replace(
                occupancy=new.astype(np.int8), memory=memory, rate=np.asarray(rate), result=np.asarray(int(failed))
            )
            return after, self._info("thin", found, new, occupied, 0)
        domain = self.oracle.problem.domain
        most = _OUTLIER * found.k / np.count_nonzero(occupied)  # an atom that nearly hops has a share beyond all reason
        ranks = self.oracle.sites.filtered(np.clip(found.shares, -most, most), domain)
        ranks = self.oracle.sites.filtered(ranks, domain)
        memory = _MEMORY * state.memory + (1 - _MEMORY) * ranks if state.memory.any() else ranks
        there = np.count_nonzero(occupied) <= self.target
        best = (there and found.k > state.k) or not state.k
        state = state._replace(
            memory=memory, k=np.asarray(found.k if there and best else float(state.k)),
            best=state.occupancy if best else state.best, left=state.left - there,
            rate=np.asarray(min(2 * float(state.rate), self.rate)), last=np.asarray(found.k),
        )  # fmt: skip
        if there and state.left <= 0:
            after = state._replace(occupancy=state.best, phase=np.asarray(int(Phase.exchange)))
            return after, self._info("thin", found, after.occupancy.astype(bool), occupied, 0)
        count = max(self.target, int(np.count_nonzero(occupied) * (1 - float(state.rate))))
        few = int(_ADMITTED * count) + int(np.count_nonzero(self.oracle.problem.held))
        admitted = self.oracle.sites.highest(np.where(occupied, -np.inf, memory), self.oracle.problem, few)
        trials = 0
        if self.patches:
            memory, trials = self._ordered(occupied, admitted, found, memory, count)
        new = self._thinned(occupied, admitted, memory, count)
        return state._replace(occupancy=new.astype(np.int8)), self._info("thin", found, new, occupied, trials)

    def _staying(self, begun: np.ndarray) -> tuple[np.ndarray, Evaluated]:
        """The design without atoms that leave their sites, and what is found of it; with them, where they are many."""
        sites, held, occupied = self.oracle.sites, self.oracle.problem.held, begun
        most = int(_LEAVING * np.count_nonzero(begun))
        while (gone := np.count_nonzero(begun & ~occupied)) <= most:
            found = self.oracle.evaluate(occupied, shares=True, stay=True)
            if found.left is None:
                return occupied, found
            occupied = occupied & ((sites.alike(found.left.astype(float)) == 0) | held)
            occupied = self.oracle.staying(occupied, found.positions, most - int(gone))
        return begun, self.oracle.evaluate(begun, shares=True)

    def _ordered(
        self, occupied: np.ndarray, admitted: np.ndarray, found: Evaluated, memory: np.ndarray, count: int
    ) -> tuple[np.ndarray, int]:
        """Ranks in which the atoms on either side of the threshold follow what k loses without them."""
        sites, problem = self.oracle.sites, self.oracle.problem
        ranks = memory[sites.first]
        kept = sites.highest(np.where(occupied | admitted, memory, -np.inf), problem, count)[sites.first]
        can_go = (occupied & ~problem.held)[sites.first]
        order = np.argsort(ranks, kind="stable")
        below, above = order[(can_go & ~kept)[order]][-self.trials :], order[(can_go & kept)[order]][: self.trials]
        near = np.concatenate([below, above])
        gains = self._tried(occupied, found, near.tolist())
        dearest_last = sorted(near.tolist(), key=lambda orbit: -gains.get(orbit, -np.inf))
        ranks[dearest_last] = np.sort(ranks[near])
        return ranks[sites.orbit], len(near)

    def _thinned(self, occupied: np.ndarray, admitted: np.ndarray, memory: np.ndarray, count: int) -> np.ndarray:
        """The sites of highest rank, cleaned; what that takes away too much or too little is made up for by rank, but
        for thin members, which go last."""
        sites, problem = self.oracle.sites, self.oracle.problem
        kept = sites.highest(np.where(occupied | admitted, memory, -np.inf), problem, count)
        new = sites.cleaned(kept, problem, self.least, self.full)
        if np.count_nonzero(new) > count:
            new = sites.highest(np.where(new, memory, -np.inf), problem, count)
        else:
            for more in (sites.neighbors(new) >= _HANGING, kept):  # on thin bodies most atoms have few neighbours
                new = sites.highest(np.where(new, np.inf, np.where(more, memory, -np.inf)), problem, count)
        return sites.opened(new, problem, self.thinnest) if self.thinnest else new

    def _cut(self, occupied: np.ndarray, memory: np.ndarray, rate: float) -> np.ndarray:
        """Atoms of lowest rank taken out of a sound design, an orbit at least, and nothing else."""
        sites, there = self.oracle.sites, int(np.count_nonzero(occupied))
        count = max(self.target, min(int(there * (1 - rate)), there - int(sites.size.min())))
        return sites.highest(np.where(occupied, memory, -np.inf), self.oracle.problem, count)

    def _exchange(self, state: State) -> tuple[State, Info]:
        occupied = state.occupancy.astype(bool)
        found = self.oracle.evaluate(occupied, shares=True)
        if not found.sound:
            after = state._replace(result=np.asarray(int(DesignResult.solver_failed)))
            return after, self._info("exchange", found, occupied, occupied, 0)
        state = state._replace(k=np.asarray(found.k), best=state.occupancy)
        removals, additions = self._candidates(occupied, found)
        gains = self._tried(occupied, found, [*removals, *additions])
        trials = len(gains)
        removals = sorted((o for o in removals if o in gains), key=lambda o: -gains[o])
        additions = sorted((o for o in additions if o in gains), key=lambda o: -gains[o])
        seen: set[bytes] = set()
        for batch, out, into in self._proposals(int(state.batch), removals, additions, gains):
            new = self._changed(occupied, out, into)
            if new.tobytes() in seen or (new == occupied).all():
                continue
            seen.add(new.tobytes())
            trials += 1
            after = self.oracle.evaluate(new)
            if after.sound and after.k > found.k * (1 + _GROWTH):
                state = state._replace(
                    occupancy=new.astype(np.int8), best=new.astype(np.int8), k=np.asarray(after.k),
                    batch=np.asarray(min(2 * batch, self.batch)),
                )  # fmt: skip
                return state, self._info("exchange", after, new, occupied, trials)
        state = state._replace(result=np.asarray(int(DesignResult.converged)))
        return state, self._info("exchange", found, occupied, occupied, trials)

    def _candidates(self, occupied: np.ndarray, found: Evaluated) -> tuple[list[int], list[int]]:
        """Orbits of atoms with the least shares, and of sites at surfaces with the largest around them."""
        sites, problem = self.oracle.sites, self.oracle.problem
        neighbors = sites.neighbors(occupied)[sites.first]
        shares = sites.alike(found.shares)[sites.first]
        around = sites.filtered(found.shares, problem.domain)[sites.first]
        inside, open_ = occupied[sites.first], (problem.domain & ~problem.held)[sites.first]
        can_go = np.flatnonzero(inside & open_)
        can_come = np.flatnonzero(~inside & open_ & (neighbors >= _NEAR))
        removals = can_go[np.argsort(shares[can_go], kind="stable")][: self.trials]
        additions = can_come[np.argsort(-around[can_come], kind="stable")][: self.trials]
        return removals.tolist(), additions.tolist()

    def _tried(self, occupied: np.ndarray, found: Evaluated, orbits: list[int]) -> dict[int, float]:
        """What a change of every orbit does to k, an atom; those that could not be relaxed are left out."""
        sites, gains = self.oracle.sites, {}
        if self.patches:
            seen = self.oracle.patches(occupied, found, sites.first[orbits])
            return {o: k for o, k, force in zip(orbits, seen.k, seen.force, strict=True) if force < _AT_REST}
        for orbit in orbits:
            k = self.oracle.trial(occupied ^ (sites.orbit == orbit), found.positions)
            if k > 0:
                gains[orbit] = (k - found.k) / sites.size[orbit]
        return gains

    def _proposals(self, batch: int, removals: list[int], additions: list[int], gains: dict[int, float]):
        """Removals and additions to be made at once: many, then fewer, then single pairs that promise a gain."""
        while batch >= 1:
            yield batch, removals, additions[:batch]
            batch = batch // 2 if batch > 3 else batch - 1
        pairs = [(o, i) for o in removals[:_PAIRS] for i in additions[:_PAIRS] if gains[o] + gains[i] > 0]
        for out, into in sorted(pairs, key=lambda pair: -gains[pair[0]] - gains[pair[1]]):
            yield 1, [out], [into]

    def _changed(self, occupied: np.ndarray, removals: list[int], additions: list[int]) -> np.ndarray:
        """The additions made, and removals in their order until there are no more atoms than asked for."""
        sites = self.oracle.sites
        new = occupied | np.isin(sites.orbit, additions)
        excess = np.count_nonzero(new) - self.target
        for orbit in removals:
            if excess <= 0:
                break
            new &= sites.orbit != orbit
            excess -= sites.size[orbit]
        return new if excess <= 0 else occupied

    def _info(self, phase: str, found: Evaluated, new: np.ndarray, old: np.ndarray, trials: int) -> Info:
        changed = int(np.count_nonzero(new != old))
        return Info(phase, int(np.count_nonzero(new)), found.k, found.lowest, changed, trials, found.steps)
