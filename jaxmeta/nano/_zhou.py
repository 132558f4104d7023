"""The potential of Zhou, Johnson and Wadley (2004) for aluminium in closed form, with a taper.

With x = r/rₑ,

    φ(r) = A e^(−α(x−1)) / (1 + (x−κ)²⁰) − B e^(−β(x−1)) / (1 + (x−λ)²⁰),
    f(r) = fₑ e^(−β(x−1)) / (1 + (x−λ)²⁰),
    F(ρ) = Σₖ Fₙₖ (ρ/0.85ρₑ − 1)ᵏ   for ρ < 0.85 ρₑ,
           Σₖ Fₖ (ρ/ρₑ − 1)ᵏ        for ρ < 1.15 ρₑ,
           Fₑ (1 − η ln(ρ/ρₛ)) (ρ/ρₛ)^η   above.

The authors end f and φ at √10/2 of the lattice constant, which is the distance of the fifth shell of neighbours of FCC:
every second derivative there is that of a step. Both are multiplied by w(t) = 1 − t³(10 − 15t + 6t²) instead, with t
from 0 to 1 between two distances off the shells; it has two continuous derivatives.

References:
    X. W. Zhou, R. A. Johnson, H. N. G. Wadley, Phys. Rev. B 69, 144113 (2004), eqs. 2–7 and table III.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from .._numbers import plain_number, refused
from ._eam import EAM

_RE, _FE, _RHOE, _RHOS = 2.863924, 1.403115, 20.418205, 23.195740
_ALPHA, _BETA, _A, _B, _KAPPA, _LAMBDA = 6.613165, 3.527021, 0.314873, 0.365551, 0.379846, 0.759692
_FN = (-2.807602, -0.301435, 1.258562, -1.247604)
_F = (-2.83, 0.0, 0.622245, -2.488244)
_ETA, _F_ABOVE = 0.785902, -2.824528
_MASS, _LATTICE = 26.981539, 4.05025
_CUTOFF = 10**0.5 / 2 * _LATTICE
_TAPER = (5.75, 6.2)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Radial:
    """w(r) Σ sign · amplitude · e^(−decay (x−1)) / (1 + (x − shift)²⁰)."""

    terms: tuple[tuple[float, float, float], ...] = field(metadata={"static": True})
    taper: tuple[float, float] | None = field(metadata={"static": True})

    def __call__(self, r: Float[Array, "*n"]) -> Float[Array, "*n"]:
        x = r / _RE
        value = jnp.zeros_like(r)
        for amplitude, decay, shift in self.terms:
            value = value + amplitude * jnp.exp(-decay * (x - 1)) / (1 + (x - shift) ** 20)
        if self.taper is None:
            return value
        low, high = self.taper
        t = jnp.clip((r - low) / (high - low), 0, 1)
        return value * (1 - t**3 * (10 - 15 * t + 6 * t**2))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Embedding:
    def __call__(self, rho: Float[Array, "*n"]) -> Float[Array, "*n"]:
        low, middle = rho / (0.85 * _RHOE) - 1, rho / _RHOE - 1
        # Where another branch counts the logarithm must not meet zero.
        high = jnp.maximum(rho, _RHOE) / _RHOS
        above = _F_ABOVE * (1 - _ETA * jnp.log(high)) * high**_ETA
        below = jnp.where(rho < 0.85 * _RHOE, _polynomial(_FN, low), _polynomial(_F, middle))
        return jnp.where(rho < 1.15 * _RHOE, below, above)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    value = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def zhou2004(element: Literal["Al"] = "Al", *, taper: tuple[float, float] | None = _TAPER) -> EAM:
    """The potential of Zhou, Johnson and Wadley (2004) for aluminium.

    Args:
        element: "Al"; others are not there.
        taper: distances in Å between which f and φ are led to zero, smoothly to the second derivative. With None both
            end at √10/2 of the lattice constant, on the fifth shell of FCC: energies are then the authors', but
            `relax` and `stiffness` refuse such a potential.

    Returns:
        The potential, in eV and Å.

    Raises:
        ValueError: another element, or a taper that does not rise from a positive distance.

    Example:
        >>> import jaxmeta as jm
        >>> jm.nano.zhou2004("Al").cutoff
        6.2

    References:
        X. W. Zhou, R. A. Johnson, H. N. G. Wadley, Phys. Rev. B 69, 144113 (2004).
    """
    if element != "Al":
        raise refused("element", 'be "Al", the one element that is there', f"is {element!r}")
    cutoff = _CUTOFF
    if taper is not None:
        if not (isinstance(taper, (tuple, list)) and len(taper) == 2):
            raise refused("taper", "be two distances", f"is {taper!r}")
        low, cutoff = (plain_number("taper", end, "be two positive distances", lambda x: x > 0) for end in taper)
        if not low < cutoff:
            raise refused("taper", "rise", f"is {taper}")
        taper = (low, cutoff)
    pair = _Radial(((_A, _ALPHA, _KAPPA), (-_B, _BETA, _LAMBDA)), taper)
    return EAM(pair, _Radial(((_FE, _BETA, _LAMBDA),), taper), _Embedding(), cutoff, element, _MASS, _LATTICE)
