"""From a density field to the effective stiffness of the periodic cell."""

from ..fem import RAMP as RAMP
from ..fem import SIMP as SIMP
from ..fem import Interpolation as Interpolation
from ._homogenize import Homogenization as Homogenization
from ._homogenize import homogenize as homogenize
from ._homogenize import material_field as material_field
