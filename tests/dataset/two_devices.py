"""Perturbs a library on two devices of a CPU, and prints which did: python two_devices.py SOURCE FOLDER"""

import json
import os
import sys
from pathlib import Path

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"

from jaxmeta import dataset
from jaxmeta.cells import _score
from jaxmeta.dataset import Perturbation

if __name__ == "__main__":
    source, folder = map(Path, sys.argv[1:])
    solved, devices = _score._solved, set()

    def noted(scorer, octants):
        labels = solved(scorer, octants)
        devices.update(device.id for device in labels[0].devices())
        return labels

    _score._solved = noted
    dataset.perturb(source, folder / "children.h5", Perturbation(60, amplitude=(2.0, 6.0), batch=2))
    print(json.dumps({"devices": sorted(devices)}))
