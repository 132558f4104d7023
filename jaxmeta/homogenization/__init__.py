"""From a density field to the effective stiffness of the periodic cell."""

from ._homogenize import Homogenization as Homogenization
from ._homogenize import homogenize as homogenize
from ._homogenize import material_field as material_field
from ._interpolation import RAMP as RAMP
from ._interpolation import SIMP as SIMP
from ._interpolation import Interpolation as Interpolation
