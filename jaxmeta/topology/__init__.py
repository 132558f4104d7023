"""Topology optimisation of a periodic cell: filters, projection, objectives, constraints, OC, MMA and the loop."""

from . import constraints as constraints
from . import objectives as objectives
from ._design import Design as Design
from ._design import Evaluation as Evaluation
from ._features import FeatureSize as FeatureSize
from ._filter import DensityFilter as DensityFilter
from ._loop import Bounds as Bounds
from ._loop import Info as Info
from ._loop import Loop as Loop
from ._loop import State as State
from ._mma import GCMMA as GCMMA
from ._mma import MMA as MMA
from ._oc import OC as OC
from ._optimize import DesignResult as DesignResult
from ._optimize import Optimization as Optimization
from ._optimize import multistart as multistart
from ._optimize import optimize as optimize
from ._projection import Continuation as Continuation
from ._projection import Heaviside as Heaviside
