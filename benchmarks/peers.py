"""CPU solvers that a user would take instead: the same element, assembled, with the solvers of SciPy and PyAMG.

The matrix is that of trilinear hexahedra on the periodic grid, six unit strains are its loads. A peer stops at the
loosest relative residual of a list at which its C is right to the tolerance asked for, so none pays for accuracy that
another does not have.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl
from accuracy import Attempt, loosest
from outcome import Method, Outcome
from problems import Problem

CORNERS = list(itertools.product((0, 1), repeat=3))


def isotropic(young: float, poisson: float) -> np.ndarray:
    """Stiffness (6, 6)."""
    lmbda = young * poisson / ((1 + poisson) * (1 - 2 * poisson))
    mu = young / (2 * (1 + poisson))
    c = np.diag([2 * mu] * 3 + [mu] * 3)
    c[:3, :3] += lmbda
    return c


def element(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (24, 24) of a unit voxel, and its nodal displacements under the six unit strains (24, 6)."""
    k = np.zeros((24, 24))
    for point in itertools.product((0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5), repeat=3):
        b = np.zeros((6, 24))
        for n, corner in enumerate(CORNERS):
            factors = [p if bit else 1 - p for p, bit in zip(point, corner, strict=True)]
            slope = [(1 if corner[i] else -1) * np.prod(np.delete(factors, i)) for i in range(3)]
            for row, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
                b[row, 3 * n + i] = slope[j]
                b[row, 3 * n + j] = slope[i]
        k += b.T @ c @ b / 8
    affine = np.zeros((24, 6))
    for n, (x, y, z) in enumerate(CORNERS):
        affine[3 * n : 3 * n + 3] = [
            [x, 0, 0, 0, z / 2, y / 2],
            [0, y, 0, z / 2, 0, x / 2],
            [0, 0, z, y / 2, x / 2, 0],
        ]
    return k, affine


def dofs(n: int) -> np.ndarray:
    """Degrees of freedom of every voxel of a periodic grid, (n³, 24)."""
    ijk = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3)
    nodes = [np.ravel_multi_index(tuple(((ijk + corner) % n).T), (n, n, n)) for corner in CORNERS]
    return np.stack([3 * node + i for node in nodes for i in range(3)], 1)


def energies(problem: Problem) -> Callable[[np.ndarray], np.ndarray]:
    """The map from six fluctuations on the periodic grid, (dofs, 6), to the effective stiffness."""
    modulus = problem.modulus().ravel()
    k, affine = element(isotropic(1.0, 0.3))
    index = dofs(problem.size)

    def effective(fluctuations: np.ndarray) -> np.ndarray:
        total = fluctuations[index] + affine
        return np.einsum("eai,e,ab,ebj->ij", total, modulus, k, total, optimize=True) / problem.size**3

    return effective


def assemble(problem: Problem) -> tuple[sp.csr_matrix, np.ndarray]:
    """K, and the loads (dofs, 6)."""
    modulus = problem.modulus().ravel()
    k, affine = element(isotropic(1.0, 0.3))
    index = dofs(problem.size)
    rows = np.repeat(index, 24, axis=1).ravel().astype(np.int32)
    columns = np.tile(index, (1, 24)).ravel().astype(np.int32)
    matrix = sp.coo_matrix(((modulus[:, None] * k.ravel()).ravel(), (rows, columns))).tocsr()
    loads = np.zeros((3 * problem.size**3, 6))
    np.add.at(loads, index, -modulus[:, None, None] * (k @ affine))
    return matrix, loads


def rigid_translations(size: int) -> np.ndarray:
    """Near null space for smoothed aggregation."""
    return np.tile(np.eye(3), (size // 3, 1))


def peer(name: str) -> Method:
    """A method: assembled CG with the preconditioner of that name."""

    def run(problem: Problem, tolerance: float, exact: np.ndarray) -> Outcome:
        began = time.perf_counter()
        matrix, loads = assemble(problem)
        effective = energies(problem)
        if name == "scipy_jacobi":
            inverse = 1 / matrix.diagonal()
            preconditioner = spl.LinearOperator(matrix.shape, lambda r: inverse * r, dtype=float)
        else:
            import pyamg

            levels = pyamg.smoothed_aggregation_solver(
                matrix.tobsr((3, 3)), B=rigid_translations(matrix.shape[0]), smooth="energy", max_coarse=300
            )
            preconditioner = levels.aspreconditioner()
        setup = time.perf_counter() - began

        def solve(residual: float) -> Attempt:
            began = time.perf_counter()
            steps, fluctuations = [], []
            for load in loads.T:
                count = [0]

                def counted(_: np.ndarray, count: list[int] = count) -> None:
                    count[0] += 1

                solution, _ = spl.cg(matrix, load, rtol=residual, maxiter=5000, M=preconditioner, callback=counted)
                steps.append(count[0])
                fluctuations.append(solution)
            return Attempt(effective(np.stack(fluctuations, 1)), time.perf_counter() - began, max(steps))

        residual, best = loosest(solve, tolerance, exact)
        notes = f"float64, assembled, {name}, relative residual {residual:g}"
        return Outcome(best.stiffness, setup, best.seconds, None, best.steps, notes)

    return run
