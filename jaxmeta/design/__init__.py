"""The design loop: continuation, rest, the design that is kept, and the driver; of one design, or of many at once."""

from ._continuation import Continuation as Continuation
from ._continuation import Level as Level
from ._drive import Turn as Turn
from ._drive import append as append
from ._drive import compile_step as compile_step
from ._drive import lane as lane
from ._drive import run as run
from ._drive import stack as stack
from ._loop import ALLOWED as ALLOWED
from ._loop import RUNNERS_UP as RUNNERS_UP
from ._loop import Info as Info
from ._loop import Kept as Kept
from ._loop import Loop as Loop
from ._loop import State as State
from ._problem import Evaluation as Evaluation
from ._problem import Problem as Problem
from ._result import DesignResult as DesignResult
