"""An independent oracle for the finite-element results of this repository: NumPy and SciPy, float64, direct solves.

Nothing here is imported from the package, and nothing is clever: the stiffness matrix is assembled and factorised.

**Element.** The trilinear brick with edges (hx, hy, hz): corner (a, b, c) of {0, 1}³ has local number 4a + 2b + c and
the degrees of freedom 3 · number + component. With N_abc(ξ) the product of ξ or 1 − ξ along the axes and B(ξ) the
6 × 24 matrix that takes corner displacements to strain,

    K_e = ∫ Bᵀ C B dV = Σ_pq C_pq ∫ B_pᵀ B_q dV,        f_e = ∫ Bᵀ C dV.

The integrand has degree two at most along each axis, so that 2 × 2 × 2 Gauss points integrate it exactly.

**Cell problem.** Macroscopic strain ε⁰_i is the i-th unit vector of Voigt space (11 22 33 23 13 12, engineering shear).
The periodic fluctuation ũ_i solves K ũ_i = −f_i, and

    C_ij = (1/|Y|) Σ_e ∫ (ε⁰_i + B ũ_i)ᵀ C_e (ε⁰_j + B ũ_j) dV,

summed over Gauss points, which is symmetric and positive semi-definite whatever the error of ũ, and differs from the
exact discrete value by the energy of that error only.

**Singular systems.** Translations, floating islands and mechanisms n have B n = 0 wherever there is stiffness, so that
K n = 0 and nᵀ f = 0: the system is consistent, and every solution has the same strain in the solid. With D the diagonal
of K summed without its cancellations and δ = 10⁻¹², the iteration

    x ← x + (K + δ D)⁻¹ (f − K x)

shrinks the error of an eigenvector with K v = λ D v by δ / (λ + δ) and leaves null vectors alone. Degrees of freedom
where D = 0 (inside true void) are dropped. It ends when the energy of a correction s is rounding and the work of the
loads has settled (loads on a null vector would do more in every step); otherwise it raises.
"""

from collections.abc import Sequence
from itertools import combinations_with_replacement, product
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_CORNERS = tuple(product((0, 1), repeat=3))
_SHIFT = 1e-12


# --- tensors ---------------------------------------------------------------------------------------------------------


def isotropic(lam: float, mu: float) -> np.ndarray:
    """Stiffness of an isotropic solid from Lamé's constants: σ = λ tr(ε) I + 2 μ ε.

    Args:
        lam: λ, stress.
        mu: μ, stress.

    Returns:
        (6, 6) stiffness in Voigt form.
    """
    stiffness = np.diag([2.0 * mu] * 3 + [mu] * 3)
    stiffness[:3, :3] += lam
    return stiffness


def isotropic_young(young: float, poisson: float) -> np.ndarray:
    """Stiffness of an isotropic solid from Young's modulus and Poisson's ratio, (6, 6)."""
    return isotropic(young * poisson / ((1 + poisson) * (1 - 2 * poisson)), young / (2 * (1 + poisson)))


def rotate(stiffness: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Stiffness of the rotated material, C'_ijkl = R_ia R_jb R_kc R_ld C_abcd.

    Args:
        stiffness: (..., 6, 6), stress.
        rotation: (3, 3) orthogonal matrix R; a material point x goes to R x.

    Returns:
        (..., 6, 6) stiffness in the same frame.
    """
    number = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
    tensor = stiffness[..., number[:, :, None, None], number[None, None, :, :]]
    tensor = np.einsum("ia,jb,kc,ld,...abcd->...ijkl", *[rotation] * 4, tensor, optimize=True)
    first, second = np.array(VOIGT).T
    return tensor[..., first[:, None], second[:, None], first[None, :], second[None, :]]


# --- element ---------------------------------------------------------------------------------------------------------


def strain_matrices(spacing: Sequence[float]) -> np.ndarray:
    """Strain–displacement matrices B at the eight Gauss points, each of weight hx hy hz / 8.

    Args:
        spacing: (hx, hy, hz), length.

    Returns:
        (8, 6, 24), 1/length.
    """
    points = 0.5 + np.array([-0.5, 0.5]) / np.sqrt(3.0)
    matrices = np.zeros((8, 6, 24))
    for g, xi in enumerate(product(points, repeat=3)):
        for n, corner in enumerate(_CORNERS):
            value = [x if c else 1.0 - x for x, c in zip(xi, corner, strict=True)]
            slope = [(1.0 if c else -1.0) / h for c, h in zip(corner, spacing, strict=True)]
            grad = (slope[0] * value[1] * value[2], value[0] * slope[1] * value[2], value[0] * value[1] * slope[2])
            for row, (i, j) in enumerate(VOIGT):
                matrices[g, row, 3 * n + i] += grad[j]
                if i != j:
                    matrices[g, row, 3 * n + j] += grad[i]
    return matrices


def element_basis(spacing: Sequence[float]) -> np.ndarray:
    """The 21 element matrices dK_e/dC_pq, p ≤ q: ∫ B_pᵀ B_q dV, plus its transpose where p ≠ q.

    Args:
        spacing: (hx, hy, hz), length.

    Returns:
        (21, 24, 24), length, in the order 00 01 … 05 11 12 … 55.
    """
    strain = strain_matrices(spacing)
    products = np.einsum("gpi,gqj->pqij", strain, strain) * (np.prod(spacing) / 8)
    return np.array([products[p, q] + (p != q) * products[q, p] for p, q in _constants()])


def element_matrices(spacing: Sequence[float], stiffness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Element stiffness and load of one voxel, or of many.

    Args:
        spacing: (hx, hy, hz), length.
        stiffness: (..., 6, 6) symmetric, stress.

    Returns:
        K_e = ∫ Bᵀ C B dV, (..., 24, 24), stress × length; f_e = ∫ Bᵀ C dV, (..., 24, 6), stress × area.
    """
    constants = np.stack([stiffness[..., p, q] for p, q in _constants()], axis=-1)
    matrices = np.tensordot(constants, element_basis(spacing), axes=1)
    mean_strain = strain_matrices(spacing).sum(axis=0) * (np.prod(spacing) / 8)
    return matrices, np.einsum("pi,...pq->...iq", mean_strain, stiffness)


def _constants() -> list[tuple[int, int]]:
    return list(combinations_with_replacement(range(6), 2))


# --- periodic cell ---------------------------------------------------------------------------------------------------


class Homogenized(NamedTuple):
    """Result of `homogenize` for k loads."""

    stiffness: np.ndarray
    """(k, k) effective stiffness, stress."""
    displacement: np.ndarray
    """(nx, ny, nz, 3, k) periodic fluctuation at the first corner of each voxel: mean zero over the nodes that touch
    stiffness, zero at the others, arbitrary by the null vectors of the cell."""
    strain: np.ndarray
    """(nx, ny, nz, 8, 6, k) total strain ε⁰ + B ũ at the Gauss points."""
    energy: np.ndarray
    """(nx, ny, nz, k, k) share of each voxel in the stiffness: its sum over voxels is `stiffness`. Divided by a voxel's
    modulus scale, it is the derivative of the stiffness with respect to that scale."""


def stiffness_field(
    field: np.ndarray, base: np.ndarray | None = None, background: np.ndarray | None = None
) -> np.ndarray:
    """The per-voxel stiffness C(x) = s(x) base + (1 − s(x)) background, or the field itself where it is one already.

    Args:
        field: (nx, ny, nz) scale s, or (nx, ny, nz, 6, 6) stiffness.
        base: (6, 6) stiffness where s = 1, stress.
        background: (6, 6) stiffness where s = 0; None for void.

    Returns:
        (nx, ny, nz, 6, 6), stress.
    """
    field = np.asarray(field, dtype=np.float64)
    if field.ndim == 5:
        if base is not None or background is not None:
            raise ValueError("A field of stiffness takes neither `base` nor `background`.")
        return field
    if base is None:
        raise ValueError("A field of scales needs the stiffness `base`.")
    scale = field[..., None, None]
    return scale * base if background is None else scale * base + (1.0 - scale) * background


def homogenize(
    field: np.ndarray,
    base: np.ndarray | None = None,
    background: np.ndarray | None = None,
    *,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    loads: Sequence[int] | None = None,
) -> Homogenized:
    """Effective stiffness of a periodic voxel cell; see the top of this module.

    Args:
        field: (nx, ny, nz) modulus scale, or (nx, ny, nz, 6, 6) stiffness; zero is true void.
        base: (6, 6) stiffness where the scale is one.
        background: (6, 6) stiffness where the scale is zero; None for void.
        spacing: (hx, hy, hz) voxel edges, length.
        loads: Voigt numbers of the load cases; None for all six.

    Returns:
        Stiffness, fluctuation, strain and energy of the chosen loads.

    Raises:
        ArithmeticError: The residual did not become small.
    """
    material = stiffness_field(field, base, background)
    shape = material.shape[:3]
    loads = list(range(6) if loads is None else loads)
    volume = float(np.prod(shape) * np.prod(spacing))
    solid = np.argwhere(np.any(material != 0.0, axis=(3, 4)))
    material_e = material[tuple(solid.T)]

    around = (True, True, True)
    dofs = _dofs(solid, shape, around)
    matrices, forces = element_matrices(spacing, material_e)
    forces = forces[..., loads]
    size = 3 * int(np.prod(shape))
    load = np.zeros((size, len(loads)))
    np.add.at(load, dofs, forces)
    voigt = np.diag(material.sum(axis=(0, 1, 2)))[loads] * np.prod(spacing)
    fluctuation = _solve(matrices, dofs, -load, np.ones(size, bool), forces, voigt)

    # Translations are null vectors, so any constant may be taken away.
    touched = np.zeros(size // 3, bool)
    touched[dofs[:, ::3] // 3] = True
    nodal = fluctuation.reshape(-1, 3, len(loads))
    nodal[touched] -= nodal[touched].mean(axis=0) if touched.any() else 0.0

    nodal_e = nodal.reshape(size, -1)[_dofs(np.argwhere(np.ones(shape, bool)), shape, around)]
    strain = np.eye(6)[:, loads] + np.einsum("gpi,eik->egpk", strain_matrices(spacing), nodal_e, optimize=True)
    strain = strain.reshape(*shape, 8, 6, len(loads))
    stress = np.einsum("xyzpq,xyzgqk->xyzgpk", material, strain, optimize=True)
    energy = np.einsum("xyzgpk,xyzgpl->xyzkl", strain, stress, optimize=True) * (np.prod(spacing) / 8 / volume)
    return Homogenized(energy.sum(axis=(0, 1, 2)), nodal.reshape(*shape, 3, -1), strain, energy)


# --- clamped block ---------------------------------------------------------------------------------------------------


class Clamped(NamedTuple):
    """Equilibrium of a block, by `clamped`."""

    displacement: np.ndarray
    """(x, y, z, 3), length; zero inside true void."""
    compliance: float
    """fᵀ u, force × length."""
    energy: float
    """Potential energy ½ ∫ εᵀ C ε dV − fᵀ u, force × length."""
    reactions: np.ndarray
    """(x, y, z, 3): K u − f where held, force; zero elsewhere."""


def clamped(
    field: np.ndarray,
    supports: np.ndarray,
    loads: np.ndarray,
    base: np.ndarray | None = None,
    background: np.ndarray | None = None,
    *,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    prescribed: np.ndarray | None = None,
    periodic: Sequence[bool] = (False, False, False),
) -> Clamped:
    """A block held at some degrees of freedom: K u = f where free, u = ū where held.

    Along a periodic axis the last plane of nodes is the first one, and is not given.

    Args:
        field: (nx, ny, nz) modulus scale, or (nx, ny, nz, 6, 6) stiffness; zero is true void.
        supports: (nx+1, ny+1, nz+1, 3) bool, true where held.
        loads: (nx+1, ny+1, nz+1, 3) nodal forces, force.
        base: (6, 6) stiffness where the scale is one.
        background: (6, 6) stiffness where the scale is zero; None for void.
        spacing: (hx, hy, hz) voxel edges, length.
        prescribed: (nx+1, ny+1, nz+1, 3) displacement ū where held, length; None for zero.
        periodic: which axes are periodic.

    Returns:
        Displacement and reactions, and compliance and potential energy. Without ū these come from the stationary
        2 fᵀ u − ∫ εᵀ C ε dV: rounding in K, which may move a stiff part held by soft ones by a relative 1e-16 times
        their contrast, enters it as the square.

    Raises:
        ArithmeticError: The supports and the solid do not carry the loads.
    """
    material = stiffness_field(field, base, background)
    solid = np.argwhere(np.any(material != 0.0, axis=(3, 4)))
    dofs = _dofs(solid, material.shape[:3], periodic)
    material_e = material[tuple(solid.T)]
    matrices, _ = element_matrices(spacing, material_e)
    free = ~np.asarray(supports, bool).ravel()
    force = np.asarray(loads, np.float64).ravel()
    there = np.zeros(len(force)) if prescribed is None else np.where(free, 0.0, np.ravel(prescribed))

    def internal(u: np.ndarray) -> np.ndarray:
        out = np.zeros(len(force))
        np.add.at(out, dofs, np.einsum("eij,ej->ei", matrices, u[dofs]))
        return out

    rhs = np.where(free, force - internal(there), 0.0)[:, None]
    displacement = there + _solve(matrices, dofs, rhs, free, rhs)[:, 0]
    strain = np.einsum("gpi,ei->egp", strain_matrices(spacing), displacement[dofs])
    energy = np.einsum("egp,epq,egq->", strain, material_e, strain, optimize=True) * (np.prod(spacing) / 8)
    work = float((force * displacement).sum())
    stationary = float(2.0 * work - energy)
    return Clamped(
        displacement.reshape(np.shape(loads)),
        stationary if prescribed is None else work,
        -0.5 * stationary,
        np.where(free, 0.0, internal(displacement) - force).reshape(np.shape(loads)),
    )


# --- assembly and solve ----------------------------------------------------------------------------------------------


def _dofs(voxels: np.ndarray, shape: Sequence[int], periodic: Sequence[bool]) -> np.ndarray:
    """Global degrees of freedom (e, 24) of voxels (e, 3); a periodic axis wraps, also onto the same node."""
    corners = voxels[:, None, :] + np.array(_CORNERS)[None]
    grid = tuple(n if around else n + 1 for n, around in zip(shape, periodic, strict=True))
    nodes = np.ravel_multi_index(tuple(np.moveaxis(corners % grid, 2, 0)), grid)
    return (3 * nodes[:, :, None] + np.arange(3)).reshape(len(voxels), 24)


def _solve(
    matrices: np.ndarray,
    dofs: np.ndarray,
    rhs: np.ndarray,
    free: np.ndarray,
    forces: np.ndarray,
    energy: np.ndarray | None = None,
) -> np.ndarray:
    """Solves K x = b where free, x = 0 elsewhere, K = Σ_e of the element matrices.

    Args:
        matrices: (e, 24, 24) element matrices.
        dofs: (e, 24) their degrees of freedom.
        rhs: (n, k) right-hand sides b.
        free: (n,) bool.
        forces: (..., k) loads before they cancel, the scale of the residual.
        energy: (k,) energies, 1e-20 of which is rounding; None for the work bᵀ x, 1e-15 of which is.

    Returns:
        (n, k) solution.
    """
    size, count = rhs.shape
    rows, columns = np.repeat(dofs, 24, axis=1).ravel(), np.tile(dofs, 24).ravel()
    stiffness = sp.csr_array((matrices.ravel(), (rows, columns)), shape=(size, size))
    diagonal = np.zeros(size)
    np.add.at(diagonal, dofs, np.einsum("eii->ei", matrices))
    if np.any(rhs[free & (diagonal == 0.0)] != 0.0):
        raise ArithmeticError("A load acts on a node without stiffness.")
    keep = np.flatnonzero(free & (diagonal > 0.0))
    solution = np.zeros((size, count))
    if len(keep) == 0:
        return solution
    stiffness, rhs = stiffness[keep][:, keep], rhs[keep]
    # A sum of sparse arrays would drop entries that cancel, and the ordering does better on the regular pattern.
    shifted = stiffness.tocsc(copy=True)
    shifted.setdiag(shifted.diagonal() + _SHIFT * diagonal[keep])
    factor = splu(
        shifted,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    x, scale = np.zeros_like(rhs), np.sqrt((forces.reshape(-1, count) ** 2).sum(axis=0))
    for _ in range(30):
        step = factor.solve(rhs - stiffness @ x)
        x += step
        work, change = np.abs((rhs * x).sum(axis=0)), np.abs((step * (stiffness @ step)).sum(axis=0))
        small = 1e-15 * work if energy is None else 1e-20 * energy
        settled = np.abs((rhs * step).sum(axis=0)) <= 1e-6 * work + (0.0 if energy is None else 1e-12 * energy)
        if np.all(settled & (change <= small)):
            break
    else:
        raise ArithmeticError(f"The loads are not carried: after 30 corrections the energy changes by {change}.")
    # Where soft parts carry the load, displacements are large and K x is as exact as K times x in rounding.
    residual = np.sqrt(((rhs - stiffness @ x) ** 2).sum(axis=0))
    rounding = 1e-13 * np.sqrt(((diagonal[keep, None] * x) ** 2).sum(axis=0))
    if np.any(residual > 1e-10 * scale + rounding):
        raise ArithmeticError(f"The residual is not small: {residual}, loads {scale}.")
    solution[keep] = x
    return solution


# --- exact results ---------------------------------------------------------------------------------------------------


def laminate(stiffnesses: Sequence[np.ndarray], fractions: Sequence[float], axis: int) -> np.ndarray:
    """Exact effective stiffness of a stack of anisotropic layers.

    Split Voigt space into the components N that contain the stacking axis (the traction, and the strains that may jump)
    and the others T (the strains along the layers, which are the same in all). In a layer, with A = C_NN, B = C_NT and
    D = C_TT,

        σ_N = A ε_N + B ε_T,        σ_T = Bᵀ ε_N + D ε_T,

    and σ_N and ε_T do not depend on the layer. So ε_N = A⁻¹ (σ_N − B ε_T); the mean of that, solved for σ_N, and the
    mean of σ_T give, with ⟨·⟩ the mean over the layers weighted by their fractions,

        C*_NN = ⟨A⁻¹⟩⁻¹,        C*_NT = C*_NN ⟨A⁻¹ B⟩,
        C*_TT = ⟨D − Bᵀ A⁻¹ B⟩ + ⟨Bᵀ A⁻¹⟩ C*_NN ⟨A⁻¹ B⟩.

    A layer of void is the limit C → 0: C*_NN = C*_NT = 0, and C*_TT is the mean of the plane-stress stiffnesses.

    Args:
        stiffnesses: (6, 6) each, stress; zero for a void layer.
        fractions: Volume fractions; they are divided by their sum.
        axis: Stacking direction, 0, 1 or 2.

    Returns:
        (6, 6) effective stiffness, stress.

    References:
        G. E. Backus, J. Geophys. Res. 67, 4427 (1962). G. W. Milton, The Theory of Composites (2002), section 9.
    """
    normal = [v for v, pair in enumerate(VOIGT) if axis in pair]
    along = [v for v, pair in enumerate(VOIGT) if axis not in pair]
    weights = np.asarray(fractions, np.float64) / np.sum(fractions)
    compliance, coupling, plane = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3))
    void = False
    for weight, stiffness in zip(weights, stiffnesses, strict=True):
        if not np.any(stiffness):
            void = True
            continue
        a, b = stiffness[np.ix_(normal, normal)], stiffness[np.ix_(normal, along)]
        compliance += weight * np.linalg.inv(a)
        coupling += weight * np.linalg.solve(a, b)
        plane += weight * (stiffness[np.ix_(along, along)] - b.T @ np.linalg.solve(a, b))
    c_nn = np.zeros((3, 3)) if void else np.linalg.inv(compliance)
    effective = np.zeros((6, 6))
    effective[np.ix_(normal, normal)] = c_nn
    effective[np.ix_(normal, along)] = c_nn @ coupling
    effective[np.ix_(along, normal)] = coupling.T @ c_nn
    effective[np.ix_(along, along)] = plane + coupling.T @ c_nn @ coupling
    return effective


def hill_bulk(fractions: Sequence[float], bulks: Sequence[float], shear: float) -> float:
    """Hill's exact bulk modulus of isotropic phases with one shear modulus: 1/(K* + 4μ/3) = ⟨1/(K + 4μ/3)⟩.

    References:
        R. Hill, J. Mech. Phys. Solids 11, 357 (1963).
    """
    weights = np.asarray(fractions) / np.sum(fractions)
    return float(1.0 / np.sum(weights / (np.asarray(bulks) + 4.0 * shear / 3.0)) - 4.0 * shear / 3.0)


# --- a published cell ------------------------------------------------------------------------------------------------


def dong_lattice(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """The simple cubic lattice of round struts along the edges of the unit cell, radius 0.1, λ = 115.4, μ = 79.6.

    A voxel is solid where its centre lies within 0.1 of a cell edge, periodically. With 40³ voxels and true void the
    density is 0.0855, C11 = 7.187609, C12 = 0.387491, C44 = 0.148853.

    Args:
        n: Voxels along an edge.

    Returns:
        (n, n, n) scale, one or zero; (6, 6) stiffness of the solid.

    References:
        G. Dong, Y. Tang, Y. F. Zhao, J. Eng. Mater. Technol. 141, 011005 (2019).
    """
    centre = (np.arange(n) + 0.5) / n
    squared = np.minimum(centre, 1.0 - centre) ** 2
    x, y, z = squared[:, None, None], squared[None, :, None], squared[None, None, :]
    nearest = np.minimum(np.minimum(x + y, x + z), y + z)
    return (nearest <= 0.01).astype(np.float64), isotropic(115.4, 79.6)
