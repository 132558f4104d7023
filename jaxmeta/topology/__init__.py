"""Topology optimisation of a periodic cell: filters, projection, objectives, constraints and the design run."""

from ..design import Continuation as Continuation
from ..design import DesignResult as DesignResult
from ..optimizers import GCMMA as GCMMA
from ..optimizers import MMA as MMA
from ..optimizers import OC as OC
from . import constraints as constraints
from . import objectives as objectives
from ._design import Design as Design
from ._features import FeatureSize as FeatureSize
from ._filter import DensityFilter as DensityFilter
from ._finish import Optimization as Optimization
from ._held import Held as Held
from ._info import Facts as Facts
from ._info import Info as Info
from ._multistart import multistart as multistart
from ._optimize import optimize as optimize
from ._projection import Heaviside as Heaviside
from ._record import Record as Record
from ._record import Term as Term
