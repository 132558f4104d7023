#!/usr/bin/env bash
# Makes the library that comes with the package. Run it again after it was stopped: it goes on with what is left.
#     experiments/dataset/make.sh FOLDER [PROCESSES]
set -euo pipefail
folder=$1 processes=${2:-2}
mkdir -p "$folder"
cd "$folder"
[ -e designs.h5 ] || jaxmeta dataset generate designs.h5 --count 1650 --seed 0 --processes "$processes"
[ -e children.h5 ] || jaxmeta dataset perturb designs.h5 children.h5 --count 2400 --rounds 5 --seed 0 --processes "$processes"
[ -e library.h5 ] || jaxmeta dataset select children.h5 library.h5 --overlap 0.95 --seed 0
