"""Preconditioned conjugate gradients with derivatives; knows linear operators only."""

from ._linear import solve as solve
from ._pcg import PCG as PCG
from ._pcg import inner as inner
from ._result import Result as Result
from ._result import Solution as Solution
from ._result import SolverError as SolverError
from ._result import Stats as Stats
