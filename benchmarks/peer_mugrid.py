"""muGrid (wheel of PyPI, serial): conjugate gradients with its fused hexahedral kernel and its two FFT preconditioners.

"green" is the Green's operator of the mean material (Ladecký and others, 2023), which suits sharp cells;
"green_jacobi" scales it with the diagonal of the matrix, which suits grey ones. C is corrected by the residual that
the solver returns, C_ij −= u_i·r_j, so its error falls with the square of the residual, as it does for the others.
"""

from __future__ import annotations

import time
from importlib.metadata import version

import numpy as np
from accuracy import Attempt, loosest
from outcome import Method, NotInstalledError, Outcome
from problems import Problem

PAIRS = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
STEPS = 5000


def unit_strains() -> list[np.ndarray]:
    """The six unit strains, engineering shear, as (3, 3)."""
    strains = []
    for i, j in PAIRS:
        strain = np.zeros((3, 3))
        strain[i, j] += 0.5
        strain[j, i] += 0.5
        strains.append(strain)
    return strains


class _Cell:
    """The fields, operator and preconditioner of one cell; voxels of unit size."""

    def __init__(self, problem: Problem, preconditioner: str) -> None:
        import muGrid
        from muGrid.Preconditioners import make_green_jacobi_preconditioner, make_reference_stiffness_preconditioner

        modulus = problem.modulus()
        self.voxels = modulus.size
        self.communicator = muGrid.Communicator()
        ghosts, spacing, element = (1, 1, 1), (1.0, 1.0, 1.0), muGrid.FEMElement.q1
        self.engine = muGrid.FFTEngine(modulus.shape, self.communicator, nb_ghosts_left=ghosts, nb_ghosts_right=ghosts)
        self.collection = self.engine.real_space_collection
        self.operator = muGrid.IsotropicStiffnessOperator3D(spacing, element)
        self.lame = [self.collection.real_field(name) for name in ("lambda", "mu")]
        for field, factor in zip(self.lame, (0.3 / (1.3 * 0.4), 1 / 2.6), strict=True):
            field.p[...] = factor * modulus
            self.engine.communicate_ghosts(field)
        self.load, self.solution, self.residual = (
            self.collection.real_field(name, (3,)) for name in ("load", "solution", "residual")
        )
        if preconditioner == "green_jacobi":
            self.preconditioner = make_green_jacobi_preconditioner(
                self.engine, self.operator, *self.lame, 3, element=element, grid_spacing=spacing
            )
        else:
            mean = [float(np.mean(field.p)) for field in self.lame]
            self.preconditioner = make_reference_stiffness_preconditioner(
                self.engine, self._uniform(*mean), 3, element=element, grid_spacing=spacing,
                lambda_ref=mean[0], mu_ref=mean[1],
            )  # fmt: skip

    def _uniform(self, lmbda: float, mu: float):
        def apply(displacement, force) -> None:
            self.engine.communicate_ghosts(displacement)
            self.operator.apply_uniform(displacement, lmbda, mu, force)

        return apply

    def apply(self, displacement, force) -> None:
        self.engine.communicate_ghosts(displacement)
        self.operator.apply(displacement, *self.lame, force)

    def solve(self, strain: np.ndarray, residual: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """Mean stress (6,), displacement, what is left of the load, steps."""
        from muGrid.Solvers import conjugate_gradients

        steps = [0]
        flat = strain.ravel().tolist()
        self.operator.apply_macro_rhs(*self.lame, flat, self.load)
        self.load.s[...] *= -1
        self.solution.s[...] = 0
        conjugate_gradients(
            self.communicator, self.collection, self.load, self.solution, hessp=self.apply, prec=self.preconditioner,
            rtol=residual, maxiter=STEPS, residual=self.residual, callback=lambda step, _: steps.__setitem__(0, step),
        )  # fmt: skip
        self.engine.communicate_ghosts(self.solution)
        mean = np.reshape(self.operator.average_stress(self.solution, *self.lame, flat), (3, 3)) / self.voxels
        return (
            np.array([mean[pair] for pair in PAIRS]),
            np.array(self.solution.s).ravel(),
            np.array(self.residual.s).ravel(),
            steps[0],
        )

    def stiffness(self, residual: float) -> Attempt:
        began = time.perf_counter()
        stress, displacement, left, steps = zip(
            *[self.solve(strain, residual) for strain in unit_strains()], strict=True
        )
        c = np.stack(stress, 1) - np.stack(displacement) @ np.stack(left, 1) / self.voxels
        return Attempt(c, time.perf_counter() - began, max(steps))


def mugrid(preconditioner: str) -> Method:
    """A method: muGrid with that preconditioner."""

    def run(problem: Problem, tolerance: float, exact: np.ndarray) -> Outcome:
        began = time.perf_counter()
        try:
            cell = _Cell(problem, preconditioner)
        except ImportError as missing:
            raise NotInstalledError("muGrid is not installed") from missing
        setup = time.perf_counter() - began
        residual, best = loosest(cell.stiffness, tolerance, exact)
        notes = f"float64, muGrid {version('muGrid')}, {preconditioner}, one core, relative residual {residual:g}"
        return Outcome(best.stiffness, setup, best.seconds, None, best.steps, notes)

    return run
