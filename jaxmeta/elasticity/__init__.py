"""Linear elasticity of a point: stiffness tensors in Voigt form, moduli, anisotropy and bounds.

Every function is pure, follows the dtype of its inputs, accepts leading batch axes and works under `jit`, `vmap`,
`grad` and `jvp`. Voigt order is 11, 22, 33, 23, 13, 12 with engineering shear strain.
"""

from . import bounds as bounds
from ._anisotropy import poisson_ratio as poisson_ratio
from ._anisotropy import universal_anisotropy as universal_anisotropy
from ._anisotropy import zener as zener
from ._averages import Moduli as Moduli
from ._averages import hill_average as hill_average
from ._averages import reuss_average as reuss_average
from ._averages import voigt_average as voigt_average
from ._cubic import CubicConstants as CubicConstants
from ._cubic import cubic_constants as cubic_constants
from ._engineering import EngineeringConstants as EngineeringConstants
from ._engineering import compliance as compliance
from ._engineering import directional_young as directional_young
from ._engineering import engineering_constants as engineering_constants
from ._host import host_constants as host_constants
from ._materials import Isotropic as Isotropic
from ._materials import cubic_stiffness as cubic_stiffness
from ._materials import isotropic_stiffness as isotropic_stiffness
from ._nearest import nearest_cubic as nearest_cubic
from ._nearest import nearest_isotropic as nearest_isotropic
from ._rotation import rotate as rotate
from ._voigt import from_full as from_full
from ._voigt import from_mandel as from_mandel
from ._voigt import kelvin_norm as kelvin_norm
from ._voigt import to_full as to_full
from ._voigt import to_mandel as to_mandel
