"""Optimisers of one protocol, `init` and `update`: optimality criteria, MMA, GCMMA, L-BFGS, and anyone's own."""

from ._asymptotes import MMAState as MMAState
from ._gcmma import GCMMA as GCMMA
from ._lbfgs import LBFGS as LBFGS
from ._lbfgs import LBFGSState as LBFGSState
from ._mma import MMA as MMA
from ._oc import OC as OC
from ._oc import OCState as OCState
from ._protocol import Optimizer as Optimizer
from ._protocol import Outcome as Outcome
from ._protocol import Problem as Problem
from ._protocol import Seen as Seen
