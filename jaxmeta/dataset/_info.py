"""What a library holds, in numbers: how many records of which kind, their ranges, and where in property space they are.

Coverage is counted in bins of three properties: the volume fraction f, the bulk modulus relative to the bound of Hashin
and Shtrikman at that volume fraction, K/K_HS with K = (C11 + 2 C12)/3, and Poisson's ratio ν = C12/(C11 + C12).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ..elasticity import CubicConstants
from . import _file, _records
from ._library import Library

EVEN = 5000
"""Records of the even part, where as many are there."""
_BINS = {"volume_fraction": (0.0, 0.05, 20), "bulk": (0.0, 0.1, 11), "poisson": (-1.0, 0.1, 15)}
"""Lower end, width and number of the bins; what lies beyond counts in the last one. The eleventh bin of K/K_HS has the
records that are above the bound by what is allowed for voxel contacts."""


def info(library: Library, even: int | None = None) -> dict[str, Any]:
    """Count what a library holds, and where in property space it lies.

    Args:
        library: of cells; all of its records are checked.
        even: number of records at the start whose coverage is counted as well; a selected library comes in such an
            order that these are an even subset. At most 5000 if None.

    Returns:
        A dictionary of plain numbers and texts, as `jm.io.write_json` takes it:

        - `records`, `families` and `flagged` are counts; `optimised` by objective, and `isotropic` of these were
          constrained to isotropy; `children` by round; `splits` by name, "none" for records without one; `lost` counts
          the records that are damaged, of a file that is read with `damaged=True`.
        - `ranges` has `lowest`, `median` and `highest` of each property: `volume_fraction`, `c11`, `c12`, `c44`,
          `poisson`, `zener` = 2 C44/(C11 − C12), `bulk` = K/K_HS, and `shear`, Voigt's average over its bound.
        - `edges` of the bins, 0.05 of `volume_fraction`, 0.1 of `bulk` and 0.1 of `poisson`; `coverage` has the number
          of records in every bin: `bulk`, of volume fraction (20 rows) and K/K_HS (11 columns), and `poisson`.
        - `even` is the number of records at the start, and `even_coverage` what `coverage` is, of these.
        - `side`, `solid`, `settings`, `version` and `licence` are those of the file.

    Raises:
        FileError: a record is damaged.
        ValueError: the library has no records, or `even` is not from 1 to their number.

    Example:
        >>> import jaxmeta as jm
        >>> found = jm.dataset.info(jm.dataset.load()[:100])
        >>> found["records"], found["even"], found["side"], found["ranges"]["volume_fraction"]["highest"] < 1
        (100, 100, 32, True)

    References:
        Hashin and Shtrikman (1963), "A variational approach to the theory of the elastic behaviour of multiphase
        materials".
    """
    count = len(library)
    if not count:
        raise ValueError("Argument `library` must hold at least one record, but holds none.")
    even = min(count, EVEN) if even is None else even
    if not 1 <= even <= count:
        raise ValueError(f"Argument `even` must be from 1 to {count}, but is {even}.")
    library.check()
    values = _properties(library)
    return {
        "records": count,
        **({"lost": lost(library)} if library.damaged else {}),
        **_counts(library),
        "ranges": {
            name: {"lowest": float(v.min()), "median": float(np.median(v)), "highest": float(v.max())}
            for name, v in values.items()
        },
        "edges": {
            name: [round(first + width * i, 2) for i in range(bins + 1)] for name, (first, width, bins) in _BINS.items()
        },
        "coverage": _coverage(values),
        "even": even,
        "even_coverage": _coverage({name: v[:even] for name, v in values.items()}),
        "side": library.side,
        "settings": library.settings,
        **library.origin,
    }


def lost(library: Library) -> int:
    """The number of records that are damaged, in the whole file."""
    whole = Library(library.path, np.arange(len(library._handle()["identity"])), library.damaged, library._open)
    return int((~whole.intact()).sum())


def _counts(library: Library) -> dict[str, Any]:
    rounds, objective, split = (library.column(name) for name in ("round", "objective", "split"))
    first = rounds == 0
    return {
        "families": len(np.unique(library.column("family"))),
        "flagged": int((library.column("flags") != 0).sum()),
        "optimised": {name: int((first & (objective == i)).sum()) for i, name in enumerate(_file.OBJECTIVES)},
        "isotropic": int((first & (library.column("isotropic") != 0)).sum()),
        "children": {str(r): int((rounds == r).sum()) for r in np.unique(rounds[~first])},
        "splits": {name or "none": int((split == i).sum()) for i, name in enumerate(_file.SPLITS)},
    }


def _properties(library: Library) -> dict[str, Float[np.ndarray, " n"]]:
    cubic, fraction = CubicConstants(*library.constants.T), library.volume_fraction
    bulk, shear = _records.shares(library.constants, fraction).T
    return {
        "volume_fraction": fraction,
        **cubic._asdict(),
        "poisson": cubic.poisson,
        "zener": cubic.zener,
        "bulk": bulk,
        "shear": shear,
    }


def _coverage(values: dict[str, Float[np.ndarray, " n"]]) -> dict[str, Any]:
    places = {name: _bin(values[name], *bins) for name, bins in _BINS.items()}
    fraction, bulk, poisson = (_BINS[name][2] for name in ("volume_fraction", "bulk", "poisson"))
    both = np.bincount(places["volume_fraction"] * bulk + places["bulk"], minlength=fraction * bulk)
    return {
        "bulk": both.reshape(fraction, bulk).tolist(),
        "poisson": np.bincount(places["poisson"], minlength=poisson).tolist(),
    }


def _bin(values: Float[np.ndarray, " n"], first: float, width: float, count: int) -> Int[np.ndarray, " n"]:
    # A value on an edge is in the bin above it, also where the division rounds down.
    return np.clip(np.floor((values - first) / width + 1e-9), 0, count - 1).astype(int)
