"""Young's modulus as a surface over all directions.

A uniaxial stress along d has the Voigt components s(d) = (d1², d2², d3², d2 d3, d1 d3, d1 d2), so 1/E(d) = sᵀ S s with
the compliance S = C⁻¹ for engineering shear strain, which is d_i d_j d_k d_l S_ijkl.
"""

import io

import numpy as np
from jaxtyping import Float, Real

from jaxmeta.io import Path, write_bytes

from ._mesh import Mesh

COLORS = "viridis"


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
    directions = _directions(count)
    moduli = young_moduli(stiffness, directions)
    points = directions * (moduli / moduli.max())[..., None]
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate((np.stack((a, b, c), -1).reshape(-1, 3), np.stack((a, c, d), -1).reshape(-1, 3)))
    # The parameters' tangents give the normals; at the poles, where one of them vanishes, the direction itself does.
    along = np.gradient(points, axis=0)
    wrapped = np.concatenate((points[:, -2:-1], points, points[:, 1:2]), axis=1)
    around = (wrapped[:, 2:] - wrapped[:, :-2]) / 2
    normals = np.cross(along, around)
    normals[[0, -1]] = directions[[0, -1]]
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
    return Mesh(
        (0.5 + 0.5 * points.reshape(-1, 3)).astype(np.float32),
        normals.reshape(-1, 3).astype(np.float32),
        faces.astype(np.int32),
        moduli.ravel().astype(np.float32),
    )


def _directions(count: int) -> np.ndarray:
    polar = np.linspace(0, np.pi, count + 1)[:, None]
    around = np.linspace(0, 2 * np.pi, 2 * count + 1)[None, :]
    return np.stack(
        (np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar) * np.ones_like(around)), axis=-1
    )


def modulus_surface(stiffness: Real[np.ndarray, "6 6"], path: Path, *, unit: str = "", overwrite: bool = False) -> None:
    """Draws Young's modulus over all directions, coloured by its value.

    Args:
        stiffness: Shape (6, 6), Voigt order 11 22 33 23 13 12, any unit of stress.
        path: The picture, `.png`.
        unit: Name of that unit, for the colour bar.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: As `young_moduli`.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import modulus_surface
        >>> modulus_surface(np.diag([2.0, 2.0, 2.0, 1.0, 1.0, 1.0]), "modulus.png", unit="GPa")
    """
    write_bytes(path, draw_modulus(stiffness, unit), overwrite)


def color_range(values: np.ndarray) -> tuple[float, float]:
    """Returns the ends of a colour scale, widened where all values are the same but for rounding."""
    low, high = float(np.min(values)), float(np.max(values))
    return (low, high) if high - low > 1e-3 * high else (0.95 * low, 1.05 * high)


def draw_modulus(stiffness: np.ndarray, unit: str = "") -> bytes:
    """Draws as `modulus_surface` and returns the PNG file's bytes."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d.axes3d import Axes3D

    directions = _directions(90)
    moduli = young_moduli(stiffness, directions)
    points = np.moveaxis(directions * moduli[..., None], -1, 0)
    scale = Normalize(*color_range(moduli))
    # A figure of its own, without pyplot: no window, no global state.
    figure = Figure(figsize=(5.2, 4.4), dpi=160, facecolor="white")
    axes = figure.add_axes((-0.14, -0.2, 1.08, 1.36), projection="3d")
    assert isinstance(axes, Axes3D)
    axes.computed_zorder = False  # the axes' ends, drawn last, all point to the viewer
    colors = colormaps[COLORS](scale((moduli[:-1, :-1] + moduli[1:, 1:]) / 2))
    axes.plot_surface(
        points[0],
        points[1],
        points[2],
        facecolors=_shade(points, colors),
        rstride=1,
        cstride=1,
        linewidth=0,
        antialiased=False,
        shade=False,
    )
    reach, ends = float(moduli.max()), young_moduli(stiffness, np.eye(3))
    for axis, name in enumerate(("x", "y", "z")):
        line = np.zeros((3, 2))
        line[axis] = ends[axis], 1.18 * reach
        axes.plot(line[0], line[1], line[2], color="#666666", linewidth=0.9)
        axes.text(
            1.07 * line[0, 1],
            1.07 * line[1, 1],
            1.07 * line[2, 1],
            name,
            color="#444444",
            fontsize=11,
            ha="center",
            va="center",
        )
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    axes.set_box_aspect((1, 1, 1))
    axes.set_axis_off()
    axes.view_init(elev=24, azim=33)
    label = "Young's modulus" + (f" ({unit})" if unit else "")
    bar = figure.colorbar(ScalarMappable(scale, COLORS), cax=figure.add_axes((0.83, 0.2, 0.025, 0.6)), label=label)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _shade(points: np.ndarray, colors: np.ndarray) -> np.ndarray:
    grid = np.moveaxis(points, 0, -1)
    normals = np.cross(grid[1:, 1:] - grid[:-1, :-1], grid[:-1, 1:] - grid[1:, :-1])
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
    light = np.array([0.25, -0.6, 0.75])
    strength = 0.62 + 0.38 * np.clip(normals @ (light / np.linalg.norm(light)), -0.6, 1)
    return np.concatenate((np.clip(colors[..., :3] * strength[..., None], 0, 1), colors[..., 3:]), axis=-1)
