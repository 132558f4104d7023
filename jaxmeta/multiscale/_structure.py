"""A structure of cells: a stiffness for each, one or several elements a cell, under several loads."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer
from jaxtyping import ArrayLike, Bool, Float, Real

from .._arguments import positive_number, real_array, truth_values
from .._numbers import refused, whole_number
from ..fem import Block, Faces, GeneralField, MaterialField, Stiffness, solve
from ..solvers import Result, SolverError, inner


class Response(NamedTuple):
    """What a structure does under each of its loads.

    Attributes:
        displacement: at the corners of the elements, (loads, x, y, z, 3), in units of length.
        compliance: work of each load, (loads,), in units of energy.
        reactions: forces of supports and mirrors on the structure, like the displacement, in units of stress × length².
        energies: strain energy of every cell, (loads, nx, ny, nz), in units of energy.
        result: the worst `Result` of each load, (loads,); 0 is converged.
    """

    displacement: Float[Array, "loads x y z 3"]
    compliance: Float[Array, " loads"]
    reactions: Float[Array, "loads x y z 3"]
    energies: Float[Array, "loads nx ny nz"]
    result: Array


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["supports", "loads", "prescribed"],
    meta_fields=["cells", "faces", "elements"],
)
@dataclasses.dataclass(frozen=True)
class Structure:
    """Cells of homogenized stiffness side by side, held and loaded.

    A cell has the edge 1 and k³ elements of equal stiffness. Nodal fields are given at the corners of the elements,
    (k nx + 1, k ny + 1, k nz + 1), one less along a periodic axis.

    Args:
        cells: their number along each axis.
        supports: components that are held, (x, y, z, 3).
        loads: nodal forces of each load, (loads, x, y, z, 3), in units of stress × length².
        faces: what the faces of each axis are, as in `fem.solve`.
        prescribed: displacements of the held components under each load, like `loads`; zero if omitted.
        elements: k.

    Raises:
        ValueError: a shape is not as described.

    Example:
        A row of three cells, the middle one half as stiff, pulled by 0.03.

        >>> import jax, jax.numpy as jnp, jaxmeta as jm
        >>> held = jnp.zeros((4, 2, 2, 3), bool).at[0].set(True).at[-1].set(True)
        >>> pull = jnp.zeros((1, 4, 2, 2, 3)).at[:, -1, :, :, 0].set(0.03)
        >>> row = jm.multiscale.Structure((3, 1, 1), held, 0 * pull, prescribed=pull)
        >>> weak = jnp.array([1.0, 0.5, 1.0]).reshape(3, 1, 1, 1, 1) * jm.Isotropic(1.0, 0.0).stiffness
        >>> pulled = row.solve(weak)
        >>> print(f"{pulled.reactions[0, -1, :, :, 0].sum():.4f}", pulled.energies[0, :, 0, 0].round(6))
        0.0075 [2.8e-05 5.6e-05 2.8e-05]
    """

    cells: tuple[int, int, int]
    supports: Bool[Array, "x y z 3"]
    loads: Float[Array, "loads x y z 3"]
    faces: Faces = ("free", "free", "free")
    prescribed: Float[Array, "loads x y z 3"] | None = None
    elements: int = 1

    def __post_init__(self):
        if not (isinstance(self.cells, tuple) and len(self.cells) == 3):
            raise refused("cells", "be three numbers of cells", f"is {self.cells!r}")
        for number in (*self.cells, self.elements):
            whole_number("cells and elements", number, 1)
        if not isinstance(self.loads, (Array, Tracer)) and not hasattr(self.loads, "shape"):
            return  # a placeholder of a pytree that is being put together
        nodal = (*self.nodes, 3)
        for name, array, shape in (
            ("supports", self.supports, nodal),
            ("loads", self.loads, (self.loads.shape[0], *nodal)),
            ("prescribed", self.prescribed, self.loads.shape),
        ):
            if array is not None and array.shape != shape:
                raise refused(name, f"have shape {shape}", f"has shape {array.shape}")

    @property
    def nodes(self) -> tuple[int, int, int]:
        """Corners of the elements along each axis."""
        ends = [0 if face in ("periodic", ("periodic", "periodic")) else 1 for face in self.faces]
        x, y, z = (self.elements * cells + end for cells, end in zip(self.cells, ends, strict=True))
        return x, y, z

    def solve(
        self,
        stiffness: Real[ArrayLike, "nx ny nz 6 6"] | MaterialField,
        *,
        tolerance: float | Float[Array, ""] = 1e-8,
        throw: bool = True,
    ) -> Response:
        """Equilibrium under each load, with derivatives by the stiffness and by everything else.

        Args:
            stiffness: of each cell, Voigt with engineering shear, in units of stress; or any `fem.MaterialField`.
            tolerance: relative error of compliance and energy at which a solve stops; the displacement errs by about
                its square root.
            throw: raise when called eagerly and not converged.

        Raises:
            ValueError: the stiffness has another number of cells.
            SolverError: not converged.
        """
        field = self._elements(stiffness)
        supported = dataclasses.replace(self, supports=truth_values("supports", self.supports))
        response = supported._responses(field, positive_number("tolerance", tolerance))
        worst = response.result.max()
        if throw and not isinstance(worst, Tracer) and int(worst) != 0:
            raise SolverError(f"{Result(int(worst)).text} Results of the loads: {response.result.tolist()}.")
        return response

    @jax.jit
    def _responses(self, field: MaterialField, tolerance: float | Array) -> Response:
        """Of every load: one compiled program."""
        edge = 1 / self.elements

        def one(load: Array, prescribed: Array | None) -> Response:
            found = solve(
                field,
                self.supports,
                load,
                faces=self.faces,
                spacing=(edge, edge, edge),
                prescribed=prescribed,
                tolerance=tolerance,
                throw=False,
            )
            energies = self._energies(field, found.displacement)
            return Response(found.displacement, found.compliance, found.reactions, energies, found.result)

        return jax.vmap(one, in_axes=(0, None if self.prescribed is None else 0))(self.loads, self.prescribed)

    def _elements(self, stiffness: Real[ArrayLike, "nx ny nz 6 6"] | MaterialField) -> MaterialField:
        if not isinstance(stiffness, MaterialField):
            array = real_array("stiffness", stiffness)
            if array.shape != (*self.cells, 6, 6):
                raise refused("stiffness", f"have shape {(*self.cells, 6, 6)}", f"has shape {array.shape}")
            stiffness = GeneralField.from_matrix(array)
        shape = stiffness.diagonal[0].shape
        if shape != self.cells:
            raise refused("stiffness", f"have a value for each of {self.cells} cells", f"has {shape}")
        return stiffness.map(self._repeated)

    def _repeated(self, values: Array) -> Array:
        for axis in range(3):
            values = jnp.repeat(values, self.elements, axis=axis)
        return values

    def _energies(self, field: MaterialField, displacement: Float[Array, "x y z 3"]) -> Float[Array, "nx ny nz"]:
        """½ u·K u of each cell: the derivative of the strain energy by a factor on the stiffness of the cell."""
        for axis, (nodes, cells) in enumerate(zip(self.nodes, self.cells, strict=True)):
            if nodes == self.elements * cells:  # periodic
                first = jax.lax.slice_in_dim(displacement, 0, 1, axis=axis)
                displacement = jnp.concatenate([displacement, first], axis)
        nodal = jnp.moveaxis(displacement, -1, 0)
        spacing = jnp.full(3, 1 / self.elements, nodal.dtype)

        def energy(factors: Array) -> Array:
            scaled = field.map(lambda modulus: modulus * self._repeated(factors))
            return 0.5 * inner(Stiffness(scaled, spacing, Block(("free", "free", "free")))(nodal), nodal)

        return jax.grad(energy)(jnp.ones(self.cells, nodal.dtype))


def distortion(
    displacement: Float[ArrayLike, "*nodes 3"],
    reference: Float[ArrayLike, "*nodes 3"],
    outside: Bool[ArrayLike, "*nodes"] | Float[ArrayLike, "*nodes"],
) -> Float[Array, ""]:
    r"""How far a displacement is from that of the undisturbed structure.

    .. math:: \frac{\lVert u - u_\mathrm{ref} \rVert}{\lVert u_\mathrm{ref} \rVert}, \qquad
        \lVert u \rVert^2 = \sum_n w_n |u_n|^2 .

    Args:
        displacement: u at the nodes.
        reference: u_ref, without hole and cloak.
        outside: nodes that count; or a weight w for each: where half of a structure is computed, ½ on the mirror.

    Returns:
        A number; 0 means that nobody outside can tell.

    Raises:
        ValueError: the shapes are not those of one set of nodes, or the reference does not move outside.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> u = np.ones((4, 3))
        >>> print(jm.multiscale.distortion(1.1 * u, u, np.array([True, True, True, False])).round(6))
        0.1
    """
    u, reference_ = real_array("displacement", displacement), real_array("reference", reference)
    weights = jnp.asarray(outside).astype(u.dtype)
    if u.shape != reference_.shape or u.shape != (*weights.shape, 3):
        raise refused(
            "displacement",
            f"have three components at each of {weights.shape} nodes, as `reference`",
            f"has shape {u.shape}, and `reference` {reference_.shape}",
        )
    size = jnp.sum(weights[..., None] * reference_**2)
    if not isinstance(size, Tracer) and not float(size) > 0:
        raise refused("reference", "move at some node outside", "is zero there")
    return jnp.sqrt(jnp.sum(weights[..., None] * (u - reference_) ** 2) / size)
