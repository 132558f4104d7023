"""Colours for values, without the second that Matplotlib takes to be loaded."""

import numpy as np
from jaxtyping import Float

# Viridis of Matplotlib (public domain) at 33 values; between them no channel is off by two of 255.
_VIRIDIS = (
    "440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e 2c728e 297a8e 26828e 23898e "
    "21918c 1f978b 1f9f88 21a685 27ad81 31b57b 3dbc74 4cc26c 5cc863 6ece58 81d34d 95d840 aadc32 c0df25 d5e21a eae51a "
    "fde725"
)
_STOPS = np.array([[int(color[start : start + 2], 16) for start in (0, 2, 4)] for color in _VIRIDIS.split()], float)


def viridis(shares: np.ndarray) -> Float[np.ndarray, "*shape 3"]:
    """Red, green and blue from 0 to 255 of values from 0 to 1.

    Args:
        shares: any shape.
    """
    places = np.linspace(0, 1, len(_STOPS))
    return np.stack([np.interp(shares, places, channel) for channel in _STOPS.T], axis=-1)


def color_range(values: np.ndarray) -> tuple[float, float]:
    """The ends of a colour scale, widened where all values are the same but for rounding."""
    low, high = float(np.min(values)), float(np.max(values))
    size = max(abs(low), abs(high))
    widened = 0.05 * size if size else 1.0
    return (low, high) if high - low > 1e-3 * size else (low - widened, high + widened)
