"""SfePy (PyPI, `pip install sfepy`): its assembled stiffness and periodic conditions, SciPy's CG through its interface.

The preconditioner is the diagonal, which is quicker than algebraic multigrid at these sizes.
"""

from __future__ import annotations

import time
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from accuracy import Attempt, loosest
from outcome import NotInstalledError, Outcome
from peers import energies
from problems import Problem

PAIRS = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
STEPS = 5000


class _Cell:
    """SfePy's problem of a periodic cube of unit voxels, and its matrix."""

    def __init__(self, problem: Problem) -> None:
        from sfepy.base.base import output

        output.set_output(quiet=True)
        from sfepy.discrete import Equation, Equations, Functions
        from sfepy.discrete import Problem as Model
        from sfepy.discrete.fem import FEDomain
        from sfepy.mesh.mesh_generators import gen_block_mesh

        self.size = problem.size
        mesh = gen_block_mesh([self.size] * 3, [self.size + 1] * 3, [self.size / 2] * 3, verbose=False)
        domain = FEDomain("cell", mesh)
        self.points = np.rint(mesh.coors).astype(int)
        self.model = Model("cell", equations=Equations([Equation("balance", self._terms(domain, problem.modulus()))]))
        self.model.functions = Functions(self._matches())
        self.model.set_bcs(ebcs=self._pin(domain), epbcs=self._periodic(domain, self.size))
        self.model.time_update()
        self.model.update_materials()
        self.zero = np.zeros(3 * len(self.points))
        self.macro.set_data(self.zero)
        self.model.get_initial_state()
        self.evaluator = self.model.get_evaluator()
        self.matrix = self.evaluator.eval_tangent_matrix(self.zero, is_full=True).tocsr()

    def _terms(self, domain, modulus: np.ndarray):
        """Forces of the unknown fluctuation and of the macroscopic strain, which is a parameter."""
        from sfepy.discrete import FieldVariable, Function, Integral, Material
        from sfepy.discrete.common.fields import Field
        from sfepy.mechanics.matcoefs import stiffness_from_youngpoisson
        from sfepy.terms import Term

        solid = stiffness_from_youngpoisson(3, 1.0, 0.3)

        def stiffness(_, points, mode=None, **__):
            if mode == "qp":
                return {"D": modulus[tuple(np.floor(points).astype(int).T)][:, None, None] * solid}
            return None

        region = domain.create_region("Omega", "all")
        field = Field.from_args("displacement", np.float64, 3, region, approx_order=1)
        u = FieldVariable("u", "unknown", field)
        v = FieldVariable("v", "test", field, primary_var_name="u")
        self.macro = FieldVariable("macro", "parameter", field, primary_var_name="(set-to-None)")
        integral, m = Integral("i", order=2), Material("m", function=Function("stiffness", stiffness))
        unknown = Term.new("dw_lin_elastic(m.D, v, u)", integral, region, m=m, v=v, u=u)
        return unknown + Term.new("dw_lin_elastic(m.D, v, macro)", integral, region, m=m, v=v, macro=self.macro)

    @staticmethod
    def _matches() -> list:
        from sfepy.discrete import Function
        from sfepy.discrete.fem import periodic

        return [Function(f"match_{axis}", getattr(periodic, f"match_{axis}_plane")) for axis in "xyz"]

    @staticmethod
    def _pin(domain):
        from sfepy.discrete.conditions import Conditions, EssentialBC

        faces = [f"({axis} < 1e-6)" for axis in "xyz"]
        corner = domain.create_region("corner", f"vertices in {' & '.join(faces)}", "vertex")
        return Conditions([EssentialBC("pin", corner, {"u.all": 0.0})])

    @staticmethod
    def _periodic(domain, size: int):
        from sfepy.discrete.conditions import Conditions, PeriodicBC

        conditions = []
        for axis in "xyz":
            low = domain.create_region(f"low_{axis}", f"vertices in ({axis} < 1e-6)", "facet")
            high = domain.create_region(f"high_{axis}", f"vertices in ({axis} > {size - 1e-6})", "facet")
            conditions.append(PeriodicBC(axis, [low, high], {"u.all": "u.all"}, f"match_{axis}"))
        return Conditions(conditions)

    def load(self, pair: tuple[int, int]) -> np.ndarray:
        """The right-hand side of a unit strain."""
        strain = np.zeros((3, 3))
        strain[pair] += 0.5
        strain[pair[::-1]] += 0.5
        self.macro.set_data((self.points @ strain).ravel())
        return -self.evaluator.eval_residual(self.zero, is_full=True)

    def fluctuation(self, reduced: np.ndarray) -> np.ndarray:
        """A solution on the periodic grid, (dofs,)."""
        nodal = self.model.equations.make_full_vec(reduced).reshape(-1, 3)
        inside = (self.points < self.size).all(axis=1)
        grid = np.empty([self.size] * 3 + [3])
        grid[tuple(self.points[inside].T)] = nodal[inside]
        return grid.ravel()


def sfepy(problem: Problem, tolerance: float, exact: np.ndarray) -> Outcome:
    """Six loads on the whole cell."""
    began = time.perf_counter()
    try:
        cell = _Cell(problem)
    except ImportError as missing:
        raise NotInstalledError("SfePy is not installed") from missing
    from sfepy.base.base import Struct
    from sfepy.solvers.ls import ScipyIterative

    effective = energies(problem)
    loads = [cell.load(pair) for pair in PAIRS]
    setup = time.perf_counter() - began
    inverse = sp.diags(1 / cell.matrix.diagonal())

    def solve(residual: float) -> Attempt:
        settings = {"method": "cg", "eps_r": residual, "eps_a": 0.0, "i_max": STEPS}
        solver = ScipyIterative(Struct(**settings), setup_precond=lambda matrix, context: inverse)
        start = time.perf_counter()
        fluctuations, steps = [], []
        for load in loads:
            fluctuations.append(cell.fluctuation(solver(load, mtx=cell.matrix)))
            steps.append(solver.iter)
        c = effective(np.stack(fluctuations, 1))
        return Attempt(c, time.perf_counter() - start, max(steps))

    residual, best = loosest(solve, tolerance, exact)
    notes = f"float64, SfePy {version('sfepy')}, CG, Jacobi, relative residual {residual:g}"
    return Outcome(best.stiffness, setup, best.seconds, None, best.steps, notes)
