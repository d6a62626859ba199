"""Numba's simulator of a device, in processes of their own: whether it is there is decided before Numba is imported.

Law of this file: what runs there raises where something is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {"NUMBA_ENABLE_CUDASIM": "1", "SYMGRAPH_BACKEND": "auto"}
WARNINGS = ("-W", "error", "-W", "ignore::RuntimeWarning")
"""Its threads do not know the np.errstate around a launch."""


def simulated(source: str) -> None:
    """Run this source in a process whose device Numba simulates."""
    command = [sys.executable, *WARNINGS, "-c", source]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **OPTIONS}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
