"""Topology optimisation of a periodic cell: filters, projection, objectives, constraints, OC, MMA and the loop."""

from . import constraints as constraints
from . import objectives as objectives
from ._features import FeatureSize as FeatureSize
from ._filter import DensityFilter as DensityFilter
from ._mma import GCMMA as GCMMA
from ._mma import MMA as MMA
from ._oc import OC as OC
from ._optimize import DesignResult as DesignResult
from ._optimize import Optimization as Optimization
from ._optimize import multistart as multistart
from ._optimize import optimize as optimize
from ._projection import Continuation as Continuation
from ._projection import Heaviside as Heaviside
