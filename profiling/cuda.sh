#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: installs all that is needed into an environment of its own, runs the tests that need a device,
# measures, and writes the figures into docs/performance.md.  Each step must succeed before the next: nothing is timed where a
# test fails.  Needs Python >= 3.11, a driver for CUDA 13.0 or later, a C compiler (for torch.compile), 30 GB of memory, and half
# an hour.  VENV names another environment, PYTHON another interpreter; arguments go to the measuring (cuda/logistic, say, for one workload).
set -eu -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${VENV:-.venv-cuda}

[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --editable ".[cuda,cublas,test,bench-cuda]"
nvidia-smi
"$venv/bin/python" -m pytest -m gpu
"$venv/bin/python" -m profiling "${@:-cuda}" --full --json results.json
"$venv/bin/python" -m profiling.page results.json
git --no-pager diff --stat docs/performance.md
