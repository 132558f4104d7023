"""Stiffness matrices in the component orders of other programs.

The order here is 11 22 33 23 13 12 with engineering shear strain. Reordering rows and columns alike is all there is to
it: Abaqus (11 22 33 12 13 23) and VTK (XX YY ZZ XY YZ XZ) with engineering shear strain name the same 36 numbers.
"""

import numpy as np
from jaxtyping import Shaped

# Position here of the component that stands at each position there.
_ABAQUS = np.array([0, 1, 2, 5, 4, 3])
_VTK = np.array([0, 1, 2, 5, 3, 4])


def _reorder(stiffness: np.ndarray, order: np.ndarray) -> np.ndarray:
    matrix = np.asarray(stiffness)
    if matrix.shape[-2:] != (6, 6):
        raise ValueError(f"Argument `stiffness` must have shape (..., 6, 6), but has shape {matrix.shape}.")
    return matrix[..., order[:, None], order[None, :]]


def to_abaqus(stiffness: Shaped[np.ndarray, "*batch 6 6"]) -> Shaped[np.ndarray, "*batch 6 6"]:
    """Reorders a stiffness for Abaqus: 11 22 33 12 13 23.

    Args:
        stiffness: Shape (..., 6, 6), order 11 22 33 23 13 12, any unit of stress.

    Returns:
        The same numbers, shape (..., 6, 6), same unit.

    Raises:
        ValueError: If the shape is wrong.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import to_abaqus
        >>> np.diag(to_abaqus(np.diag([11, 22, 33, 23, 13, 12])))
        array([11, 22, 33, 12, 13, 23])
    """
    return _reorder(stiffness, _ABAQUS)


def from_abaqus(stiffness: Shaped[np.ndarray, "*batch 6 6"]) -> Shaped[np.ndarray, "*batch 6 6"]:
    """Reorders a stiffness from Abaqus; the inverse of `to_abaqus`.

    Args:
        stiffness: Shape (..., 6, 6), order 11 22 33 12 13 23, any unit of stress.

    Returns:
        Shape (..., 6, 6), order 11 22 33 23 13 12, same unit.

    Raises:
        ValueError: If the shape is wrong.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import from_abaqus
        >>> np.diag(from_abaqus(np.diag([11, 22, 33, 12, 13, 23])))
        array([11, 22, 33, 23, 13, 12])
    """
    return _reorder(stiffness, np.argsort(_ABAQUS))


def to_vtk(stiffness: Shaped[np.ndarray, "*batch 6 6"]) -> Shaped[np.ndarray, "*batch 6 6"]:
    """Reorders a stiffness for VTK: XX YY ZZ XY YZ XZ.

    Args:
        stiffness: Shape (..., 6, 6), order 11 22 33 23 13 12, any unit of stress.

    Returns:
        The same numbers, shape (..., 6, 6), same unit.

    Raises:
        ValueError: If the shape is wrong.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import to_vtk
        >>> np.diag(to_vtk(np.diag([11, 22, 33, 23, 13, 12])))
        array([11, 22, 33, 12, 23, 13])
    """
    return _reorder(stiffness, _VTK)


def from_vtk(stiffness: Shaped[np.ndarray, "*batch 6 6"]) -> Shaped[np.ndarray, "*batch 6 6"]:
    """Reorders a stiffness from VTK; the inverse of `to_vtk`.

    Args:
        stiffness: Shape (..., 6, 6), order XX YY ZZ XY YZ XZ, any unit of stress.

    Returns:
        Shape (..., 6, 6), order 11 22 33 23 13 12, same unit.

    Raises:
        ValueError: If the shape is wrong.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import from_vtk
        >>> np.diag(from_vtk(np.diag([11, 22, 33, 12, 23, 13])))
        array([11, 22, 33, 23, 13, 12])
    """
    return _reorder(stiffness, np.argsort(_VTK))
