"""Preconditioned conjugate gradients, and derivatives of solutions and of what is stationary in them."""

from ._linear import solve as solve
from ._pcg import PCG as PCG
from ._pcg import inner as inner
from ._result import Result as Result
from ._result import Solution as Solution
from ._result import SolverError as SolverError
from ._result import Stats as Stats
from ._stationary import implicit as implicit
from ._stationary import stationary as stationary
