"""Whether the sampler leads back to cells from their noises: python experiments/generate/inversion.py WEIGHTS."""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp

import jaxmeta as jm
from jaxmeta import diffusion

RECORDS = (100, 5000, 12000, 10841, 11949)


def main() -> None:
    model, library = diffusion.load(sys.argv[1]), jm.dataset.load()
    nothing = diffusion.Conditions(jnp.full(4, 0.5), jnp.zeros(4, bool))
    for steps in (16, 32):
        levels = jnp.asarray(model.schedule.levels(steps), jnp.float32)

        @jax.jit
        def there_and_back(model: diffusion.Model, octant: jax.Array, levels: jax.Array) -> tuple[jax.Array, jax.Array]:
            denoiser = diffusion.Forgetful(diffusion.NetworkDenoiser(model, nothing))
            noise = diffusion.ascend(denoiser, diffusion.to_field(octant), levels[:-1])
            back = diffusion.from_field(diffusion.descend(denoiser, noise, levels, "ddim"))
            return noise.std(), (back != octant).sum()

        for record in RECORDS:
            deviation, wrong = there_and_back(model, jnp.asarray(library[record].octant), levels)
            print(f"{steps} steps, record {record}: noise {float(deviation):.2f}, {int(wrong)} voxels of 32768 differ")


if __name__ == "__main__":
    main()
