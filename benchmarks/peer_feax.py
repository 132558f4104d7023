"""feax (PyPI, `pip install "feax[amg]" jax`): its homogenization of a periodic cell, matrix-free CG on the CPU.

Its periodic solver takes no preconditioner but the algebraic multigrid that "feax_amg" measures, which assembles the
matrix and its hierarchy anew for every load. The first call compiles; it is the set-up.
"""

from __future__ import annotations

import functools
import time
from importlib.metadata import version

import numpy as np
from accuracy import Attempt, loosest
from outcome import Method, NotInstalledError, Outcome
from peers import energies
from problems import Problem


def _model(size: int):
    """feax's mesh, problem and prolongation of a periodic cube of unit voxels."""
    import feax as fe
    import jax.numpy as jnp
    from feax.flat.pbc import periodic_bc_3D, prolongation_matrix
    from feax.flat.unitcell import UnitCell

    class Cube(UnitCell):
        def mesh_build(self, **_):
            return fe.mesh.box_mesh((size, size, size), mesh_size=1.0)

    class Elastic(fe.Problem):
        def get_tensor_map(self):
            def stress(gradient, modulus):
                strain = (gradient + gradient.T) / 2
                return modulus * (0.3 / (1.3 * 0.4) * jnp.trace(strain) * jnp.eye(3) + strain / 1.3)

            return stress

    cube = Cube()
    problem = Elastic(cube.mesh, vec=3, dim=3, ele_type="HEX8")
    return problem, cube.mesh, prolongation_matrix(periodic_bc_3D(cube, vec=3, dim=3), cube.mesh, vec=3)


def _cells(mesh, modulus: np.ndarray) -> np.ndarray:
    """The modulus in the order of the mesh's cells."""
    centres = np.asarray(mesh.points)[np.asarray(mesh.cells)].mean(axis=1)
    return modulus[tuple(np.floor(centres).astype(int).T)]


def _periodic(mesh, size: int, fields: np.ndarray) -> np.ndarray:
    """Nodal fields (6, dofs of the mesh) on the periodic grid, (dofs, 6)."""
    points = np.rint(np.asarray(mesh.points)).astype(int)
    inside = (points < size).all(axis=1)
    grid = np.empty((size, size, size, 3, 6))
    grid[tuple(points[inside].T)] = fields.reshape(6, -1, 3).transpose(1, 2, 0)[inside]
    return grid.reshape(-1, 6)


def feax(preconditioner: str | None) -> Method:
    """A method: feax with no preconditioner, or with "amg"."""

    def run(problem: Problem, tolerance: float, exact: np.ndarray) -> Outcome:
        try:
            import feax as fe
        except ImportError as missing:
            raise NotInstalledError("feax is not installed") from missing
        import jax
        from feax.flat.solver import UNIT_STRAINS_3D, macro_displacement

        began = time.perf_counter()
        model, mesh, prolongation = _model(problem.size)
        effective = energies(problem)
        parameters = fe.TracedParams(volume_vars=(jax.numpy.asarray(_cells(mesh, problem.modulus())),))
        affine = [macro_displacement(mesh, strain) for strain in UNIT_STRAINS_3D]
        setup = time.perf_counter() - began

        @functools.cache
        def compiled(residual: float):
            settings = {"tol": residual, "atol": 0.0, "maxiter": 5000}
            options = fe.AMGSolverOptions(**settings) if preconditioner else fe.KrylovSolverOptions("cg", **settings)
            boundary = fe.DirichletBCConfig([]).create_bc(model)
            solver = fe.create_solver(model, boundary, options, P=prolongation, return_solution=False)
            if preconditioner:  # sets up its hierarchy on the host, in every call
                return solver, 0.0
            solver = jax.jit(solver)
            start = time.perf_counter()
            jax.block_until_ready(solver(parameters, affine[0]))
            return solver, time.perf_counter() - start

        def solve(residual: float) -> Attempt:
            solver, _ = compiled(residual)
            start = time.perf_counter()
            parts = [np.asarray(solver(parameters, field)) - np.asarray(field) for field in affine]
            c = effective(_periodic(mesh, problem.size, np.stack(parts)))
            return Attempt(c, time.perf_counter() - start, None)

        residual, best = loosest(solve, tolerance, exact)
        notes = f"float64, feax {version('feax')}, {preconditioner or 'CG'}, relative residual {residual:g}"
        return Outcome(best.stiffness, setup + compiled(residual)[1], best.seconds, None, best.steps, notes)

    return run
