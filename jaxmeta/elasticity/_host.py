"""What follows from one tensor, on the host: to compile a program for it would take half a second."""

import numpy as np
from jaxtyping import Float

from ._anisotropy import index
from ._averages import softest
from ._cubic import CubicConstants
from ._engineering import EngineeringConstants, of_compliance


def host_constants(stiffness: Float[np.ndarray, "6 6"]) -> tuple[EngineeringConstants, float]:
    """`engineering_constants` and `universal_anisotropy` of a single tensor, by NumPy.

    Args:
        stiffness: Voigt form, (6, 6), unit of stress, positive definite.

    Returns:
        The constants, NumPy's arrays, and the index.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.elasticity import CubicConstants, host_constants
        >>> constants, anisotropy = host_constants(CubicConstants(168.4, 121.4, 75.4).stiffness)
        >>> [round(float(young), 1) for young in constants.young], round(anisotropy, 2)
        ([66.7, 66.7, 66.7], 1.82)
    """
    flexibility = np.linalg.inv(stiffness)
    return of_compliance(flexibility), float(
        index(CubicConstants.of(stiffness), softest(CubicConstants.of(flexibility)))
    )
