"""From a density or a material field to the effective stiffness of the periodic cell."""

from ..fem import RAMP as RAMP
from ..fem import SIMP as SIMP
from ..fem import Interpolation as Interpolation
from ..fem import material_field as material_field
from ._homogenize import Homogenization as Homogenization
from ._homogenize import homogenize as homogenize
