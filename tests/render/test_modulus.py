"""Young's modulus over directions, against tensors written out with four indices."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from jaxmeta.io import FileError
from jaxmeta.render import modulus_mesh, modulus_surface, young_moduli

VOIGT = {(0, 0): 0, (1, 1): 1, (2, 2): 2, (1, 2): 3, (2, 1): 3, (0, 2): 4, (2, 0): 4, (0, 1): 5, (1, 0): 5}


def isotropic(young, poisson):
    lame, shear = young * poisson / ((1 + poisson) * (1 - 2 * poisson)), young / (2 + 2 * poisson)
    matrix = np.diag([2 * shear] * 3 + [shear] * 3)
    matrix[:3, :3] += lame
    return matrix


def anisotropic(seed=0):
    factor = np.random.default_rng(seed).normal(size=(6, 6))
    return factor @ factor.T + 0.5 * np.eye(6)


def modulus_by_tensor(stiffness, direction):
    """1 / (d_i d_j d_k d_l S_ijkl), with S_ijkl from the Voigt compliance by its factors 1, 1/2 and 1/4."""
    compliance = np.linalg.inv(stiffness)
    total = 0.0
    for i, j, k, m in itertools.product(range(3), repeat=4):
        factor = (1 if i == j else 0.5) * (1 if k == m else 0.5)
        total += factor * compliance[VOIGT[i, j], VOIGT[k, m]] * np.prod(direction[[i, j, k, m]])
    return 1 / total


def test_no_symmetry_at_all():
    stiffness = anisotropic()
    directions = np.random.default_rng(1).normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    expected = [modulus_by_tensor(stiffness, direction) for direction in directions]
    np.testing.assert_allclose(young_moduli(stiffness, directions), expected, rtol=1e-10)


def test_isotropic_is_a_sphere():
    mesh = modulus_mesh(isotropic(2.0, 0.3), count=24)
    assert mesh.values is not None
    np.testing.assert_allclose(mesh.values, 2.0, rtol=1e-6)
    radius = np.linalg.norm(mesh.vertices - 0.5, axis=1)
    np.testing.assert_allclose(radius, 0.5, rtol=1e-5)
    np.testing.assert_allclose(mesh.normals, (mesh.vertices - 0.5) / 0.5, atol=2e-3)


def test_mesh_is_outward_and_in_its_box():
    mesh = modulus_mesh(anisotropic(), count=48)
    corners = mesh.vertices[mesh.faces].astype(float) - 0.5
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.einsum("ij,ij->", area, corners.mean(axis=1)) > 0
    large = np.linalg.norm(area, axis=1) > 1e-6
    agreement = np.einsum("ij,ij->i", area, mesh.normals[mesh.faces].mean(axis=1))[large]
    assert (agreement > 0).mean() > 0.99
    assert mesh.vertices.min() >= 0 and mesh.vertices.max() <= 1


@pytest.mark.parametrize("stiffness", [isotropic(1.0, 0.3), anisotropic()])
def test_picture(tmp_path, stiffness):
    modulus_surface(stiffness, tmp_path / "a.png", unit="GPa")
    picture = np.asarray(Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).convert("RGB"))
    assert min(picture.shape[:2]) > 500
    assert 0.1 < (picture.min(axis=2) < 200).mean() < 0.7  # something is drawn, on white
    with pytest.raises(FileError, match="exists already"):
        modulus_surface(stiffness, tmp_path / "a.png")


@pytest.mark.parametrize("stiffness", [np.zeros((6, 6)), np.diag([1.0, 1, 1, 1, 1, -1e-9]), np.full((6, 6), np.nan)])
def test_cells_without_stiffness(stiffness):
    with pytest.raises(ValueError, match="positive definite"):
        young_moduli(stiffness, np.eye(3))
