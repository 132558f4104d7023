"""A library of cubic cells: its property space, and many of its cells on one sheet."""

import io
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Real, Shaped

from jaxmeta.elasticity import CubicConstants, Isotropic
from jaxmeta.elasticity.bounds import hashin_shtrikman, shares
from jaxmeta.io import Path, atomic_path, write_bytes

from ._picture import draw_cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d.axes3d import Axes3D

ISOTROPIC = 0.05
"""Largest distance of Zener's ratio from one in a cell that counts as isotropic."""
CLOSED = 0.7
"""Solid share of its faces above which a cell is cut open on a sheet."""
_SOLID = Isotropic(1.0, 0.3)
_GREY, _DARK = "#80868b", "#333333"
_PLANE = "#4a90d9"
_TILE, _LINE, _DPI = 240, 17, 128  # pixels of a cell and of a line of its label; 128 divides without rounding
_VIEW = (24.0, -50.0)  # elevation and azimuth in degrees: the isotropic plane is seen from its upper side
_ASPECT = np.array([1.25, 1.0, 1.0])
_NORMAL = np.array([-0.5, 0.5, 1.0])  # of that plane, on C11, C12, C44


class _Group(NamedTuple):
    """Cells of one colour."""

    name: str
    color: str
    size: float
    alpha: float
    members: Bool[np.ndarray, " n"]


class _Cells(NamedTuple):
    """What is drawn of the cells; constants of shape (n,) are relative to the solid's Young's modulus."""

    cubic: CubicConstants
    fraction: Float[np.ndarray, " n"]
    share: Float[np.ndarray, " n"]
    isotropic: Bool[np.ndarray, " n"]


def property_space(
    path: Path,
    constants: Real[np.ndarray, "n 3"],
    volume_fraction: Real[np.ndarray, " n"],
    *,
    optimised: Bool[np.ndarray, " n"],
    solid: Isotropic = _SOLID,
    overwrite: bool = False,
) -> None:
    r"""Draws the property space of cubic cells in four panels, every cell as a point in each that it belongs to.

    - **a** $C_{11}$, $C_{12}$, $C_{44}$, and the plane $C_{44} = (C_{11} - C_{12})/2$ of isotropic stiffness.
    - **b** Bulk and shear modulus of the isotropic cells, those with a Zener ratio $2 C_{44}/(C_{11} - C_{12})$ within
      0.05 of one. Grey boxes hold what the bounds of Hashin and Shtrikman allow up to a volume fraction.
    - **c** The bulk modulus $(C_{11} + 2 C_{12})/3$ as a share of its Hashin–Shtrikman bound, over the volume fraction.
    - **d** The volume fraction over Poisson's ratio $C_{12}/(C_{11} + C_{12})$.

    No point is left out: there is no sampling, and the axes reach to the outermost cell.

    Args:
        path: The picture, `.png`.
        constants: $C_{11}$, $C_{12}$, $C_{44}$, shape (n, 3), unit of the solid's Young's modulus, positive definite.
        volume_fraction: Share of solid, shape (n,), no unit, above 0 and at most 1.
        optimised: Shape (n,), True for an optimised cell, False for the perturbed child of one.
        solid: Material of the cells; with its Young's modulus of one the constants are relative to it.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: If there is no cell, shapes disagree, or a value is out of its range.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import property_space
        >>> constants = np.array([[0.31, 0.10, 0.09], [0.29, 0.09, 0.10]])
        >>> property_space("space.png", constants, np.array([0.5, 0.48]), optimised=np.array([True, False]))

    References:
        Hashin and Shtrikman (1963), "A variational approach to the theory of the elastic behaviour of multiphase
        materials".
    """
    buffer = io.BytesIO()
    property_figure(constants, volume_fraction, optimised, solid).savefig(buffer, format="png")
    write_bytes(path, buffer.getvalue(), overwrite)


def contact_sheet(
    path: Path,
    cells: Shaped[np.ndarray, "n nx ny nz"] | Sequence[np.ndarray],
    *,
    labels: Sequence[str] | None = None,
    columns: int = 8,
    overwrite: bool = False,
) -> None:
    """Draws many cells on one sheet, row after row, each as `picture_of_cell` does.

    A cell whose faces hide what is inside, more than 0.7 of them being solid, is cut open: the eighth that is nearest
    to the eye is left out. In a cell of cubic symmetry it is a mirror image of the others, so that nothing is lost.
    Where walls stand in the middle of the cell as well, what is left out is smaller, and ends between them.

    Args:
        path: The picture, `.png`.
        cells: Densities of whole cells, shape (n, nx, ny, nz) or n arrays of shape (nx, ny, nz), no unit; solid above
            1/2.
        labels: A short text below each cell, n of them; all are set smaller if one is wider than its cell.
        columns: Cells in a row.
        overwrite: Whether an existing file may be replaced.

    Raises:
        PictureError: If PyVista or off-screen OpenGL is missing; the text says how to install it.
        FileError: If the file exists or cannot be written.
        ValueError: If there is no cell, a cell has the wrong shape or is empty, or the labels are not one for each.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import contact_sheet
        >>> cells = np.zeros((2, 8, 8, 8), bool)
        >>> cells[0, 2:6, 2:6, :] = cells[1, :, 2:6, :] = True
        >>> contact_sheet("sheet.png", cells, labels=["bar", "plate"])  # doctest: +SKIP
    """
    with atomic_path(path, overwrite) as file:  # a file in the way is found before the drawing, which takes a while
        file.write_bytes(draw_sheet(cells, labels, columns))


def property_figure(
    constants: np.ndarray, volume_fraction: np.ndarray, optimised: np.ndarray, solid: Isotropic = _SOLID
) -> "Figure":
    """Draws as `property_space` and returns the figure, its panels in order; the cells have the group id `cells`."""
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d.axes3d import Axes3D

    cells = _cells(constants, volume_fraction, optimised, solid)
    size = float(np.clip(3000 / len(optimised), 1, 3))
    groups = (  # what is drawn last lies above
        _Group("perturbed", "#7d95a3", 4 * size, 0.45, ~np.asarray(optimised)),
        _Group("optimised", "#c8553d", 6 * size, 0.75, np.asarray(optimised)),
    )
    figure = Figure(figsize=(11, 9.4), dpi=160, facecolor="white")
    left, right, low, high, width, height = 0.07, 0.58, 0.07, 0.545, 0.39, 0.365
    # Constrained layout would leave half of a panel in space empty, and cut the label of its upright axis.
    space = figure.add_axes((left - 0.08, high - 0.06, width + 0.1, height + 0.09), projection="3d")
    assert isinstance(space, Axes3D)
    _draw_constants(space, cells, groups)
    figure.text(left, high + height + 0.009, "a   stiffness", fontsize=10.5, color=_DARK)
    _draw_isotropic(figure.add_axes((right, high, width, height)), cells, groups, solid)
    _draw_share(figure.add_axes((left, low, width, height)), cells, groups)
    _draw_poisson(figure.add_axes((right, low, width, height)), cells, groups)
    _draw_legend(figure, groups)
    return figure


def _cells(constants: np.ndarray, volume_fraction: np.ndarray, optimised: np.ndarray, solid: Isotropic) -> _Cells:
    given, fraction = np.asarray(constants, dtype=float), np.asarray(volume_fraction, dtype=float)
    if given.ndim != 2 or given.shape[1] != 3 or not len(given):
        raise ValueError(f"Argument `constants` must have shape (n, 3) with n > 0, but has shape {given.shape}.")
    for name, values in (("volume_fraction", fraction), ("optimised", np.asarray(optimised))):
        if values.shape != given.shape[:1]:
            raise ValueError(f"Argument `{name}` must have shape ({len(given)},), but has shape {values.shape}.")
    if np.asarray(optimised).dtype != bool:
        raise ValueError(f"Argument `optimised` must be boolean, but is of type {np.asarray(optimised).dtype}.")
    if np.shape(solid.young) or np.shape(solid.poisson):
        raise ValueError("Argument `solid` must be one material, but is a batch.")
    cubic = CubicConstants(*given.T / float(np.asarray(solid.young)))
    _refuse("constants", ~(np.isfinite(given).all(axis=1) & np.asarray(cubic.positive)), given)
    _refuse("volume_fraction", ~((fraction > 0) & (fraction <= 1)), fraction)
    share = np.asarray(shares(CubicConstants(*given.T), fraction, solid).bulk)
    return _Cells(cubic, fraction, share, np.abs(cubic.zener - 1) <= ISOTROPIC)


def _refuse(name: str, wrong: np.ndarray, values: np.ndarray) -> None:
    must = {"constants": "be positive definite", "volume_fraction": "be above 0 and at most 1"}[name]
    for row in np.flatnonzero(wrong)[:1]:
        raise ValueError(f"Argument `{name}` must {must}, but row {row} is {values[row]}.")


def _limits(fraction: np.ndarray, solid: Isotropic) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of Hashin and Shtrikman on bulk and shear modulus, relative to the solid's Young's modulus."""
    limit, young = hashin_shtrikman(fraction, solid), float(np.asarray(solid.young))
    return np.asarray(limit.bulk, float) / young, np.asarray(limit.shear, float) / young


def _draw_constants(axes: "Axes3D", cells: _Cells, groups: Sequence[_Group]) -> None:
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    points = np.stack(cells.cubic, axis=-1)
    low, high = np.minimum(points.min(axis=0), 0), np.maximum(points.max(axis=0), 0)
    margin = 0.03 * (high - low)
    low, high = low - margin * (low < 0), high + margin
    # Matplotlib sorts whole collections: what lies behind the plane is drawn before it, the rest after it.
    axes.computed_zorder = False
    front = points @ _NORMAL * (_NORMAL @ (_towards_eye() * (high - low) / _ASPECT)) > 0
    for order, side in ((0, ~front), (2, front)):
        for group in groups:
            _scatter(axes, points, group, side, zorder=order)
    plane = [_plane_corners(low, high)]
    axes.add_collection3d(
        Poly3DCollection(plane, facecolors=_PLANE, edgecolors=_PLANE, linewidths=0.8, alpha=0.22, zorder=1)
    )
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set(xlabel="$C_{11}/E$", ylabel="$C_{12}/E$", zlabel="$C_{44}/E$")
    _tidy_space(axes)


def _tidy_space(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_proj_type("ortho")
    axes.view_init(*_VIEW)
    axes.set_box_aspect(_ASPECT, zoom=1.03)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_major_locator(MaxNLocator(7, steps=(1, 2, 5, 10)))
        axis.set_pane_color((0.97, 0.97, 0.97, 1.0))
        axis._axinfo["grid"].update(color="#e4e4e4", linewidth=0.6)
    axes.tick_params(labelsize=8, labelcolor=_DARK)


def _towards_eye() -> np.ndarray:
    elevation, azimuth = np.deg2rad(_VIEW)
    return np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])


def _plane_corners(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where the isotropic plane meets the edges of a box, in their order around it."""
    corners = []
    for axis in range(3):
        for corner in itertools.product(*np.stack((low, high), axis=-1)):
            point = np.array(corner)
            point[axis] = 0
            point[axis] = -(_NORMAL @ point) / _NORMAL[axis]
            if low[axis] <= point[axis] <= high[axis]:
                corners.append(point)
    points = np.unique(corners, axis=0)
    # The plane is a graph over C11 and C12, so that the order is the same there.
    c11, c12, _ = (points - points.mean(axis=0)).T
    return points[np.argsort(np.arctan2(c12, c11))]


def _draw_isotropic(axes: "Axes", cells: _Cells, groups: Sequence[_Group], solid: Isotropic) -> None:
    fractions = np.linspace(0, 1, 101)
    bulk, shear = _limits(fractions, solid)
    _scatter_all(axes, np.stack((cells.cubic.bulk, cells.cubic.shear), axis=-1), groups, cells.isotropic)
    right = 1.06 * max(cells.cubic.bulk[cells.isotropic].max(initial=0), bulk[40])
    top = 1.1 * max(cells.cubic.shear[cells.isotropic].max(initial=0), shear[40])
    axes.plot(bulk, shear, color=_GREY, linewidth=1, zorder=1)
    for number in range(20, 100, 20):
        axes.plot([bulk[number]] * 2 + [0], [0] + [shear[number]] * 2, color=_GREY, linewidth=0.8, zorder=1)
        if 0.12 * right < bulk[number] - bulk[number - 20] and bulk[number] < right:  # where there is room
            axes.text(bulk[number], 0.006 * top, f"$f$={fractions[number]:.1f} ", color=_GREY, fontsize=7.5, ha="right")
    axes.set(xlim=(0, right), ylim=(0, top), xlabel="bulk modulus $K/E$", ylabel="shear modulus $G/E$")
    _tidy(axes, f"b   {cells.isotropic.sum():,} isotropic cells: |Zener − 1| ≤ {ISOTROPIC:g}")


def _draw_share(axes: "Axes", cells: _Cells, groups: Sequence[_Group]) -> None:
    _scatter_all(axes, np.stack((cells.fraction, cells.share), axis=-1), groups)
    axes.axhline(1, color=_GREY, linewidth=1)
    axes.set_ylim(bottom=-0.02)
    axes.set(xlabel="volume fraction $f$", ylabel=r"$K/K_\mathrm{HS}$")
    _tidy(axes, "c   bulk modulus as a share of its bound")


def _draw_poisson(axes: "Axes", cells: _Cells, groups: Sequence[_Group]) -> None:
    _scatter_all(axes, np.stack((cells.cubic.poisson, cells.fraction), axis=-1), groups)
    axes.axvline(0, color=_DARK, linewidth=0.8, linestyle=(0, (5, 4)))
    axes.set(xlabel="Poisson's ratio $C_{12}/(C_{11} + C_{12})$", ylabel="volume fraction $f$")
    _tidy(axes, "d   Poisson's ratio")


def _scatter_all(axes: "Axes", points: np.ndarray, groups: Sequence[_Group], shown: np.ndarray | bool = True) -> None:
    for group in groups:
        _scatter(axes, points, group, shown)


def _scatter(axes: "Axes", points: np.ndarray, group: _Group, shown: np.ndarray | bool, **options: Any) -> None:
    columns = points[group.members & shown].T
    if axes.name == "3d":
        options["depthshade"] = False
    axes.scatter(*columns, s=group.size, alpha=group.alpha, color=group.color, linewidths=0, gid="cells", **options)


def _tidy(axes: "Axes", title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, color=_DARK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e9e9e9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(color="#999999", labelcolor=_DARK, labelsize=9)


def _draw_legend(figure: "Figure", groups: Sequence[_Group]) -> None:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Line2D([], [], marker="o", linestyle="", color=group.color, label=f"{group.name} ({group.members.sum():,})")
        for group in reversed(groups)
    ]
    handles.append(Patch(facecolor=_PLANE, alpha=0.4, label="isotropic: $C_{44} = (C_{11} - C_{12})/2$"))
    handles.append(Line2D([], [], color=_GREY, linewidth=1, label="Hashin–Shtrikman bounds"))
    figure.legend(handles=handles, loc="upper center", ncols=len(handles), frameon=False, fontsize=10.5)


def draw_sheet(
    cells: np.ndarray | Sequence[np.ndarray], labels: Sequence[str] | None = None, columns: int = 8
) -> bytes:
    """Draws as `contact_sheet` and returns the PNG file's bytes."""
    from matplotlib.figure import Figure
    from PIL import Image

    solid = _checked(cells, labels, columns)
    across = min(columns, len(solid))
    down = -(-len(solid) // across)
    lines = max(label.count("\n") + 1 for label in labels) if labels else 0
    height = _TILE + _LINE * lines + (8 if lines else 0)
    sheet = np.full((down * height, across * _TILE, 3), 255, np.uint8)
    for number, cell in enumerate(solid):
        row, column = divmod(number, across)
        picture = np.asarray(Image.open(io.BytesIO(draw_cells(_opened(cell), size=_TILE)[1])).convert("RGB"))
        sheet[row * height :, column * _TILE :][:_TILE, :_TILE] = picture
    figure = Figure(figsize=(sheet.shape[1] / _DPI, sheet.shape[0] / _DPI), dpi=_DPI, facecolor="white")
    figure.figimage(sheet)
    texts = []
    for number, label in enumerate(labels or ()):
        row, column = divmod(number, across)
        x, y = (column + 0.5) / across, 1 - (row * height + _TILE) / sheet.shape[0]
        texts.append(figure.text(x, y, label, ha="center", va="top", fontsize=7, color=_DARK))
    widest = max((text.get_window_extent().width for text in texts), default=0)
    for text in texts:
        text.set_fontsize(7 * min(1, 0.96 * _TILE / max(widest, 1)))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _checked(cells: np.ndarray | Sequence[np.ndarray], labels: Sequence[str] | None, columns: int) -> list[np.ndarray]:
    """The cells, solid or void."""
    solid = [np.asarray(cell) > 0.5 for cell in cells]
    if not solid:
        raise ValueError("Argument `cells` must hold at least one cell, but holds none.")
    for number, cell in enumerate(solid):
        if cell.ndim != 3:
            raise ValueError(
                f"Argument `cells` must hold arrays (nx, ny, nz), but cell {number} is of shape {cell.shape}."
            )
        if not cell.any():
            raise ValueError(f"Argument `cells` must be solid somewhere in every cell, but cell {number} is empty.")
    if labels is not None and len(labels) != len(solid):
        raise ValueError(f"Argument `labels` must have one text for each cell, but has {len(labels)} for {len(solid)}.")
    if columns < 1:
        raise ValueError(f"Argument `columns` must be at least 1, but is {columns}.")
    return solid


def _opened(cell: np.ndarray) -> np.ndarray:
    """The cell, or what is left of it in a shell of void where its faces are closed."""
    if min(cell.shape) < 4 or _solid_share(cell[-1], cell[:, 0], cell[:, :, -1]) <= CLOSED:
        return cell
    # Walls may stand in the middle of the cell too.
    depths = [depth for depth in (1 / 2, 3 / 8, 1 / 4) if _section(cell, depth)[1] <= 0.95]
    rest, _ = _section(cell, depths[0] if depths else 1 / 2)
    # Without the shell the faces around the cut would be closed by those opposite: the picture's cell is periodic.
    return np.pad(rest, 2)


def _section(cell: np.ndarray, depth: float) -> tuple[np.ndarray, float]:
    """The cell without a box at the corner nearest to the eye, and the solid share of the planes that this lays bare.

    Args:
        cell: Solid or void, at least four voxels along an edge.
        depth: Edges of the box as a share of the cell's.
    """
    x, y, z = (round(depth * edge) for edge in cell.shape)
    x, z = cell.shape[0] - x, cell.shape[2] - z
    rest = cell.copy()
    rest[x:, :y, z:] = False
    return rest, _solid_share(cell[x - 1, :y, z:], cell[x:, y, z:], cell[x:, :y, z - 1])


def _solid_share(*planes: np.ndarray) -> float:
    return float(np.mean([plane.mean() for plane in planes]))
