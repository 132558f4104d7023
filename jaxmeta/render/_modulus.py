"""Young's modulus as a surface over all directions.

A uniaxial stress along d has the Voigt components s(d) = (d1², d2², d3², d2 d3, d1 d3, d1 d2), so 1/E(d) = sᵀ S s with
the compliance S = C⁻¹ for engineering shear strain, which is d_i d_j d_k d_l S_ijkl.
"""

import numpy as np
from jaxtyping import Float, Real

from ._mesh import Mesh


def young_moduli(
    stiffness: Real[np.ndarray, "6 6"], directions: Real[np.ndarray, "*batch 3"]
) -> Float[np.ndarray, "*batch"]:
    """Returns Young's modulus along given directions.

    Args:
        stiffness: Shape (6, 6), Voigt order 11 22 33 23 13 12, any unit of stress.
        directions: Shape (..., 3), unit vectors.

    Returns:
        Shape (...), the unit of `stiffness`.

    Raises:
        ValueError: If the stiffness is not a positive definite matrix of that shape.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import young_moduli
        >>> young_moduli(np.diag([2.0, 1.0, 1.0, 1.0, 1.0, 1.0]), np.eye(3))
        array([2., 1., 1.])
    """
    matrix = np.asarray(stiffness, dtype=float)
    if matrix.shape != (6, 6):
        raise ValueError(f"Argument `stiffness` must have shape (6, 6), but has shape {matrix.shape}.")
    if not np.all(np.isfinite(matrix)) or np.linalg.eigvalsh((matrix + matrix.T) / 2).min() <= 0:
        raise ValueError(
            "Argument `stiffness` must be positive definite: some deformation of this cell costs no energy."
        )
    compliance = np.linalg.inv((matrix + matrix.T) / 2)
    x, y, z = np.moveaxis(np.asarray(directions, dtype=float), -1, 0)
    stress = np.stack((x * x, y * y, z * z, y * z, x * z, x * y), axis=-1)
    return 1 / np.einsum("...i,ij,...j->...", stress, compliance, stress)


def modulus_mesh(stiffness: Real[np.ndarray, "6 6"], *, count: int = 96) -> Mesh:
    """Makes the surface whose distance from the origin is Young's modulus in that direction.

    Args:
        stiffness: Shape (6, 6), Voigt order 11 22 33 23 13 12, any unit of stress.
        count: Steps from pole to pole; there are twice as many around.

    Returns:
        The surface, scaled to a largest radius of 1/2 about (1/2, 1/2, 1/2), with the moduli as `values`.

    Raises:
        ValueError: As `young_moduli`.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import modulus_mesh
        >>> mesh = modulus_mesh(np.eye(6), count=12)
        >>> bool(mesh.values.max() > mesh.values.min())
        True
    """
    along = directions(count)
    moduli = young_moduli(stiffness, along)
    points = along * (moduli / moduli.max())[..., None]
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate((np.stack((a, b, c), -1).reshape(-1, 3), np.stack((a, c, d), -1).reshape(-1, 3)))
    # The parameters' tangents give the normals; at the poles, where one of them vanishes, the direction itself does.
    down = np.gradient(points, axis=0)
    wrapped = np.concatenate((points[:, -2:-1], points, points[:, 1:2]), axis=1)
    around = (wrapped[:, 2:] - wrapped[:, :-2]) / 2
    normals = np.cross(down, around)
    normals[[0, -1]] = along[[0, -1]]
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
    return Mesh(
        (0.5 + 0.5 * points.reshape(-1, 3)).astype(np.float32),
        normals.reshape(-1, 3).astype(np.float32),
        faces.astype(np.int32),
        moduli.ravel().astype(np.float32),
    )


def directions(count: int) -> np.ndarray:
    """Unit vectors from pole to pole and around, (count + 1, 2 count + 1, 3)."""
    polar = np.linspace(0, np.pi, count + 1)[:, None]
    around = np.linspace(0, 2 * np.pi, 2 * count + 1)[None, :]
    return np.stack(
        (np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar) * np.ones_like(around)), axis=-1
    )
