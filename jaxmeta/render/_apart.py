"""Pictures drawn by a process of their own, while this one computes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

_PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from jaxmeta.render import draw_cells
folder, tiles = Path(sys.argv[1]), [int(tile) for tile in sys.argv[5:]]
for tile, png in draw_cells(np.load(folder / "cell.npy"), tiles, tuple(map(float, sys.argv[2:5]))).items():
    (folder / f"{tile}.png").write_bytes(png)
"""


@contextmanager
def drawn_apart(
    cell: Shaped[np.ndarray, "nx ny nz"],
    tiles: Sequence[int] = (1, 2),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Iterator[Callable[[], dict[int, bytes]]]:
    """Draws as `draw_cells` in another process, which is ended when the block is left.

    Args:
        cell: Density, shape (nx, ny, nz), no unit; solid above 1/2.
        tiles: Numbers of copies along each axis.
        spacing: Voxel edges, three lengths; only their ratios matter.

    Yields:
        A function that waits for the pictures; there are none where they cannot be drawn, and `draw_cells` tells why.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import drawn_apart
        >>> with drawn_apart(np.ones((4, 4, 4)), tiles=(1,)) as drawn:
        ...     computed = sum(range(100))
        ...     pictures = drawn()
        >>> pictures.keys() <= {1}
        True
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "cell.npy", np.asarray(cell, np.float32))
        words = [sys.executable, "-c", _PROGRAM, name, *map(str, spacing), *map(str, tiles)]
        where = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=where
        )

        def drawn() -> dict[int, bytes]:
            if process.wait() != 0:
                return {}
            return {tile: (folder / f"{tile}.png").read_bytes() for tile in tiles}

        try:
            yield drawn
        finally:
            process.kill()
            process.wait()
