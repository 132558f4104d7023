"""Random tensors without symmetry, and full-tensor oracles in NumPy."""

from collections.abc import Callable

import numpy as np
import pytest

_INDEX = {(0, 0): 0, (1, 1): 1, (2, 2): 2, (1, 2): 3, (0, 2): 4, (0, 1): 5}


@pytest.fixture(scope="session")
def random_matrix() -> Callable[..., np.ndarray]:
    """A 6×6 matrix with no symmetry at all, not even the major one."""
    return lambda seed, *batch: np.random.default_rng(seed).normal(size=(*batch, 6, 6))


@pytest.fixture(scope="session")
def random_stiffness() -> Callable[..., np.ndarray]:
    """A triclinic stiffness: symmetric positive definite, 21 different constants."""

    def build(seed: int, *batch: int) -> np.ndarray:
        root = np.random.default_rng(seed).normal(size=(*batch, 6, 6))
        return root @ np.swapaxes(root, -1, -2) / 6 + np.eye(6)

    return build


@pytest.fixture(scope="session")
def random_rotation() -> Callable[..., np.ndarray]:
    def build(seed: int, *batch: int) -> np.ndarray:
        orthogonal, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(*batch, 3, 3)))
        return orthogonal * np.linalg.det(orthogonal)[..., None, None]

    return build


@pytest.fixture(scope="session")
def full() -> Callable[[np.ndarray], np.ndarray]:
    """C_ijkl from a Voigt matrix, entry by entry."""

    def build(matrix: np.ndarray) -> np.ndarray:
        tensor = np.empty((3, 3, 3, 3))
        for i, j, k, l in np.ndindex(3, 3, 3, 3):
            row, column = _INDEX[min(i, j), max(i, j)], _INDEX[min(k, l), max(k, l)]
            tensor[i, j, k, l] = matrix[row, column]
        return tensor

    return build


@pytest.fixture(scope="session")
def full_isotropic() -> Callable[[float, float], np.ndarray]:
    """λ δ_ij δ_kl + μ (δ_ik δ_jl + δ_il δ_jk)."""
    one = np.eye(3)

    def build(lmbda: float, mu: float) -> np.ndarray:
        return lmbda * np.einsum("ij,kl->ijkl", one, one) + mu * (
            np.einsum("ik,jl->ijkl", one, one) + np.einsum("il,jk->ijkl", one, one)
        )

    return build
