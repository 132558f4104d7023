"""C of a cell and its derivative, for a process of its own: python -m tests.fem.one_cell DENSITY RESULT"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxmeta as jm


def slope_and_stiffness(density):
    """dC12/dρ and C, in float64."""

    def entry(density):
        c = jm.homogenize(density, jm.Isotropic(1.0, 0.3), tolerance=1e-12).stiffness
        return c[0, 1], c

    return jax.grad(entry, has_aux=True)(jnp.asarray(density))


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    np.savez(sys.argv[2], *slope_and_stiffness(np.load(sys.argv[1])), llvm="llvmlite.binding" in sys.modules)
