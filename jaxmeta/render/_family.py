"""A picture of a family of cells in property space."""

import numpy as np
from jaxtyping import Float

from ._evaluation import _figure, _png


def draw_family(
    members: Float[np.ndarray, "n 3"], path: Float[np.ndarray, "m 3"], others: Float[np.ndarray, "k 3"] | None = None
) -> bytes:
    """Draws bulk and shear modulus of cells, as shares of their bounds, over the volume fraction.

    Args:
        members: Volume fraction, K/K_HS and G/G_HS of the members, in their order.
        path: The same along the path that they were asked to lie on.
        others: The same of other cells, such as a library's.

    Returns:
        A PNG file.
    """
    figure = _figure(9.0, 3.8)
    reach = members[:, 0].min(), members[:, 0].max()
    margin = 0.05 + 0.2 * (reach[1] - reach[0])
    for panel, column, name in zip(figure.subplots(1, 2), (1, 2), ("bulk", "shear"), strict=True):
        if others is not None:
            panel.scatter(others[:, 0], others[:, column], s=2, color="#b7bdc3", linewidths=0)
            panel.scatter([], [], s=16, color="#b7bdc3", linewidths=0, label="library")
        panel.plot(path[:, 0], path[:, column], color="#333333", linewidth=0.8, label="asked")
        panel.plot(members[:, 0], members[:, column], "o", color="#c8553d", markersize=4.5, label="members")
        panel.set(xlim=(max(reach[0] - margin, 0), min(reach[1] + margin, 1)), ylim=(0, 1.02))
        panel.set_xlabel("volume fraction", fontsize=9)
        panel.set_ylabel(f"{name} modulus, share of its bound", fontsize=9)
        panel.legend(fontsize=7, frameon=False, loc="lower right")
        panel.tick_params(labelsize=8)
    return _png(figure)
