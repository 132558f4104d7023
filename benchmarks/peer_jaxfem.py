"""JAX-FEM (PyPI, `pip install jax-fem`; it needs PETSc's petsc4py, gmsh, meshio, fenics-basix and pyfiglet beside it).

Its assembled stiffness, reduced by its multipoint constraints to periodic nodes, goes to PETSc's CG, which is the
preconditioned solver that it offers, with Jacobi or with PETSc's own algebraic multigrid. Every load is a Newton step
of one linear solve. The first solve compiles; it is the set-up. The cell is the unit cube, as its solver asks for a
residual below 0.1 in absolute terms.
"""

from __future__ import annotations

import time
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from accuracy import Attempt, loosest
from outcome import Method, NotInstalledError, Outcome
from peers import energies
from problems import Problem

CORNERS = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
PAIRS = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]


def voxels(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points ((n + 1)³, 3), cells (n³, 8) and the periodic node (n³ of them) of every point, all in C order."""
    points = np.stack(np.meshgrid(*[np.arange(size + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    first = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), -1).reshape(-1, 3)
    cells = [np.ravel_multi_index(tuple((first + corner).T), [size + 1] * 3) for corner in CORNERS]
    return points.astype(float), np.stack(cells, 1), np.ravel_multi_index(tuple((points % size).T), [size] * 3)


def prolongation(node: np.ndarray, size: int) -> sp.csr_array:
    """Degrees of freedom of all points from those of the periodic nodes."""
    columns = (3 * node[:, None] + np.arange(3)).ravel()
    return sp.csr_array((np.ones(columns.size), (np.arange(columns.size), columns)), (columns.size, 3 * size**3))


def _model(problem: Problem):
    import jax.numpy as jnp
    from jax_fem.generate_mesh import Mesh
    from jax_fem.problem import Problem as Model

    class Elastic(Model):
        def get_tensor_map(self):
            def stress(gradient, modulus, macro):
                strain = (gradient + gradient.T) / 2 + macro
                return modulus * (0.3 / (1.3 * 0.4) * jnp.trace(strain) * jnp.eye(3) + strain / 1.3)

            return stress

    points, cells, node = voxels(problem.size)
    model = Elastic(Mesh(points / problem.size, cells, "HEX8"), vec=3, dim=3, ele_type="HEX8")
    model.P_mat = prolongation(node, problem.size)
    return model


def jaxfem(preconditioner: str) -> Method:
    """A method: JAX-FEM with that preconditioner of PETSc."""

    def run(problem: Problem, tolerance: float, exact: np.ndarray) -> Outcome:
        try:
            from jax_fem.solver import solver
            from petsc4py import PETSc
        except ImportError as missing:
            raise NotInstalledError(f"JAX-FEM is not installed: {missing}") from missing
        import jax.numpy as jnp

        began = time.perf_counter()
        model, effective = _model(problem), energies(problem)
        quadrature = model.fes[0].num_quads
        modulus = jnp.asarray(np.repeat(problem.modulus().reshape(-1, 1), quadrature, 1))
        inner = np.unique(model.P_mat.indices, return_index=True)[1]
        options = {"petsc_solver": {"ksp_type": "cg", "pc_type": preconditioner}, "rel_tol": 0.5, "tol": 0.0}

        def fluctuation(pair: tuple[int, int]) -> np.ndarray:
            macro = np.zeros((3, 3))
            macro[pair] += 0.5
            macro[pair[::-1]] += 0.5
            model.internal_vars = [modulus, jnp.broadcast_to(macro, (*modulus.shape, 3, 3))]
            return problem.size * np.asarray(solver(model, options)[0]).ravel()[inner]  # of unit voxels

        def solve(residual: float) -> Attempt:
            PETSc.Options()["ksp_rtol"] = residual
            start = time.perf_counter()
            c = effective(np.stack([fluctuation(pair) for pair in PAIRS], 1))
            return Attempt(c, time.perf_counter() - start, None)

        PETSc.Options()["ksp_rtol"] = 0.1
        fluctuation(PAIRS[0])
        setup = time.perf_counter() - began
        residual, best = loosest(solve, tolerance, exact)
        notes = f"float64, JAX-FEM {version('jax-fem')}, PETSc CG, {preconditioner}, relative residual {residual:g}"
        return Outcome(best.stiffness, setup, best.seconds, None, best.steps, notes)

    return run
