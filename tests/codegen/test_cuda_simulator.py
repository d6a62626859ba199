"""Programs and functions of a device in Numba's own simulator: their tests once more, in a process that has it switched on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = ("device_team", "device_math", "device_draws", "device_rows", "device_dense", "device_tiles", "device_windows", "grid")


@pytest.mark.slow
def test_they_run_in_numbas_simulator():
    files = [str(HERE / f"test_{name}.py") for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.codegen.numba_simulator", "-p", "no:cacheprovider", "-p", "no:xdist"]
    switched_on = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONWARNINGS": ""}
    few = ["-k", "not random_loops or 4 or 7"]
    arguments = [*few, "-W", "ignore::RuntimeWarning", *files]  # its threads do not know the np.errstate around a launch
    done = subprocess.run([*command, *arguments], cwd=ROOT, env=switched_on, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 10 * len(files)
