from .elasticity import Isotropic as Isotropic
from .homogenization import RAMP as RAMP
from .homogenization import SIMP as SIMP
from .homogenization import homogenize as homogenize
