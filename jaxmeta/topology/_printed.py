"""A ready callback of `optimize`: its course on standard error."""

from __future__ import annotations

from ..runs import Progress
from ._info import Info


class Printed:
    """Callback of `optimize` that prints its course on standard error: phases with their seconds, steps with time left.

    Args:
        name: of the objective.
        sign: of the objective, -1 where what is minimised is the negative of a quantity.
        progress: what shows it; lines if omitted.

    Example:
        >>> import jax, jaxmeta as jm
        >>> start = jm.geometry.trigonometric(jax.random.key(0), (4, 4, 4), symmetry="cubic", volume_fraction=0.4)
        >>> printed = jm.topology.Printed("bulk modulus", sign=-1)
        >>> d = jm.optimize(jm.objectives.maximize_bulk(), start, solid=jm.Isotropic(1.0, 0.3), volume_fraction=0.4,
        ...                 filter_radius=1.5, max_steps=3, callback=printed)
        >>> list(printed.progress.seconds)
        ['compiling', 'optimising', 'scoring']
    """

    def __init__(self, name: str = "objective", sign: float = 1.0, progress: Progress | None = None):
        self.name, self.sign = name, sign
        self.progress = Progress() if progress is None else progress
        self._steps = 0

    def __call__(self, step: int, info: Info) -> None:
        """After a step."""
        seen = {"volume": info.volume_fraction, "grey": info.greyness, "sharpness": info.beta}
        numbers = {self.name: self.sign * info.objective} | seen
        self.progress.update("step", step, self._steps, **{name: float(x) for name, x in numbers.items()})

    def phase(self, what: str, of: str = "", steps: int = 0) -> None:
        """When another phase begins, or, without a name, when the last one has ended."""
        if steps:
            self._steps, of = steps, f"{self.name}, at most {steps} steps"
        self.progress.phase(what, of)


def ignored(what: str, of: str = "", steps: int = 0) -> None:
    """What is told of a phase where nobody listens."""
