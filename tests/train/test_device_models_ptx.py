"""Whole models' kernels compile to PTX without a device; ptxas assembles them where it is found.

Law of this file: a step with all that is recorded for two generations of devices, a whole loop for the newer one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import symgraph as sg
from symgraph import config
from tests.codegen.test_device_ptx import CAPABILITIES, assemble, needs_numba_cuda
from tests.train.device_models import MODELS
from tests.train.test_op_table import DEVICES

CHOSEN = (
    *("linear with GradientDescent", "softmax", "layered", "convolution", "recurrent", "embedding with Adam", "rows_of_variables"),
    *("draws", "normal_equation", "a_scan", "branches"),
)


@needs_numba_cuda
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["step", "loop"])
@pytest.mark.parametrize("name", CHOSEN)
def test_a_model_compiles_and_is_assembled(name: str, kind: str, tmp_path: Path) -> None:
    with config.override(**DEVICES["blocks"]), sg.Session() as session:
        model = MODELS[name]()
        if kind == "loop":
            made = session.compiled_loop(model.step, model.feeds, record=model.record).executable
        else:
            made = session.compiled([model.step, *model.record.values()], list(model.feeds))
        texts = {cc: made.ptx(cc) for cc in CAPABILITIES[kind == "loop" :]}
    for cc, text in texts.items():
        assert f".target sm_{cc[0]}{cc[1]}" in text and ".entry" in text
        if shutil.which("ptxas"):
            assert not assemble(text, cc, tmp_path)
