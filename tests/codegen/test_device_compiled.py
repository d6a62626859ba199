"""What is compiled for a device and kept, without one: the context that numba-cuda asks for stands in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from symgraph.codegen import config, ptx
from symgraph.codegen.cuda import translate
from symgraph.codegen.device_entry import Compiled, real_lanes

from . import programs

pytestmark = pytest.mark.skipif(not ptx.available(), reason="numba-cuda and the toolkit are not installed")


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list]:
    """The kernels that were bound to a device of compute capability 9.0, each as often as it was."""
    from numba import cuda
    from numba.cuda import dispatcher
    from numba.cuda.cudadrv import devices

    device = SimpleNamespace(compute_capability=(9, 0))
    found: list[Any] = []

    def bind(kernel: Any) -> None:
        kernel._codelibrary.get_cubin(cc=(9, 0))
        found.append(kernel)

    monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)
    monkeypatch.setattr(cuda, "get_current_device", lambda: device)
    monkeypatch.setattr(devices, "get_context", lambda *_: SimpleNamespace(device=device))
    monkeypatch.setattr(dispatcher._Kernel, "bind", bind)
    with config.override(SYMGRAPH_CACHE_DIR=tmp_path):
        yield found


def test_a_kernel_is_compiled_once(linked: list) -> None:
    source = translate(programs.linear_regression(300), real_lanes()).source
    first = Compiled(source)
    assert linked == 2 * [first.compiled] and first.compiled.cooperative
    again = Compiled(source)
    assert linked[2:] == [again.compiled] and again.compiled is not first.compiled, "it was read"
    assert again.compiled.signature == first.compiled.signature and again.compiled.cooperative
    assert bytes(again.compiled._codelibrary.get_cubin(cc=(9, 0)).code) == bytes(first.compiled._codelibrary.get_cubin(cc=(9, 0)).code)
    assert callable(again[3, real_lanes(), 0, 64]) and list(again.configured) == [(3, real_lanes(), 0, 64)]
