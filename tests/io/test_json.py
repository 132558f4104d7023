"""Strict JSON."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from jaxmeta.io import to_json, write_json


@dataclasses.dataclass
class Settings:
    tolerance: float
    path: Path


def test_everything_becomes_plain(tmp_path):
    data = {
        "array": np.arange(6).reshape(2, 3),
        "scalar": np.float32(0.5),
        "flag": np.bool_(True),
        "nothing": None,
        "settings": Settings(1e-5, Path("a/b")),
        "text": "ü <b>",
        "tuple": (1, 2.5),
    }
    write_json(tmp_path / "report.json", data)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "ü" in text
    assert json.loads(text) == {
        "array": [[0, 1, 2], [3, 4, 5]],
        "scalar": 0.5,
        "flag": True,
        "nothing": None,
        "settings": {"tolerance": 1e-5, "path": "a/b"},
        "text": "ü <b>",
        "tuple": [1, 2.5],
    }


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf"), np.array([1.0, np.nan])])
def test_no_nan(tmp_path, value):
    with pytest.raises(ValueError, match=r"`\.stats\.error"):
        write_json(tmp_path / "a.json", {"stats": {"error": value}})
    assert not (tmp_path / "a.json").exists()
    write_json(tmp_path / "a.json", {"stats": value}, non_finite="null")
    stored = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)["stats"]
    assert stored is None or stored == [1.0, None]


@pytest.mark.parametrize(("value", "text"), [({"a": {1}}, "type set"), ({"a": 1j}, "complex"), ({1: 2}, "keys")])
def test_no_form(value, text):
    with pytest.raises(ValueError, match=text):
        to_json(value)
