from ._below import RAMP as RAMP
from ._below import SIMP as SIMP
from ._below import Interpolation as Interpolation
from ._below import material_field as material_field
from ._homogenize import Homogenization as Homogenization
from ._homogenize import homogenize as homogenize
from ._solving import Solving as Solving
