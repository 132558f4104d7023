"""Cells with their stiffness: cleaned, scored, described and written, wherever they come from."""

from ..solvers import SolverError as SolverError
from ._cell import Cell as Cell
from ._clean import Cleaned as Cleaned
from ._clean import clean as clean
from ._describe import connection as connection
from ._describe import describe as describe
from ._describe import members as members
from ._describe import pores as pores
from ._describe import properties as properties
from ._describe import sentences as sentences
from ._export import Exported as Exported
from ._export import export as export
from ._export import write as write
from ._facts import Facts as Facts
from ._fit import FitResult as FitResult
from ._fit import Fitted as Fitted
from ._fit import fit_stiffness as fit_stiffness
from ._refine import filled_surface as filled_surface
from ._score import Scorer as Scorer
from ._target import Target as Target
from ._target import checked_target as checked_target
