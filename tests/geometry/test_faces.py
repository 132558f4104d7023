"""Faces that connect."""

import numpy as np

from jaxmeta.geometry import faces_fit


def test_faces_that_fit():
    face = np.zeros((4, 10), bool)
    face[0, :8], face[1, :5], face[2, 2:8], face[3, 8:] = True, True, True, True
    assert faces_fit(face[0], face[0]) and faces_fit(face[0], face[1])  # 5 of 5, and 5 of 8
    assert faces_fit(face[0], face[2]) and not faces_fit(face[1], face[2])  # 3 of 5
    assert not faces_fit(face[0], face[3]) and not faces_fit(face[3], np.ones(10, bool))  # 2 of 10
