"""The real TensorBoard on the loopback, looked at with a real browser: what symgraph wrote is what is drawn.

Skipped where Chromium or chromedriver is missing.  The tools are those that make the picture in docs/.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from symgraph.codegen import config

pytest.importorskip("tensorboard")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def screenshot() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "docs" / "screenshot.py"
    spec = importlib.util.spec_from_file_location("screenshot", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def board(screenshot: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """(browser, address) of a TensorBoard over the name-scope program's logs."""
    if not screenshot.installed():
        pytest.skip("Chromium and chromedriver are not installed: apt-get install chromium chromium-driver")
    folder = tmp_path_factory.mktemp("logs")
    with config.override(SYMGRAPH_BACKEND="reference"):
        screenshot.write_logs(str(folder / "run"))
    with screenshot.tensorboard(str(folder)) as address, screenshot.browser() as page:
        yield page, address


TEXTS = "const texts = deep('*').filter(e => !e.children.length).map(e => e.textContent.trim());"


def shows(board: tuple[Any, str], tab: str, *texts: str) -> Any:
    """Open a tab and wait until it shows every one of the texts."""
    page, address = board
    page.open("about:blank")
    page.open(f"{address}/#{tab}")
    return page.wait(TEXTS + "return [...arguments].every(t => texts.some(s => s.includes(t)))", *texts)


def test_scalars_are_drawn(board: tuple[Any, str]) -> None:
    assert shows(board, "scalars", "MSE")
    curve = board[0].wait("const lines = deep('path.line').map(e => e.getAttribute('d')).filter(d => d); return lines[0]")
    assert curve.count("L") == 7, "eight steps were written"


def test_graph_is_drawn(board: tuple[Any, str]) -> None:
    assert shows(board, "graphs", "Main Graph")
    page, _ = board
    names = page.wait("const n = deep('svg g.node').map(e => e.dataset.name); return n.length > 3 && n")
    assert {"X", "y", "theta", "predictions", "loss", "gradients", "GradientDescent", "init"} <= set(names)
    boxes = page.ask("return deep('svg g.node.meta').map(e => e.dataset.name)")
    assert {"theta", "loss", "gradients", "GradientDescent"} <= set(boxes)
    edges = page.ask("return deep('svg g.edge text').map(e => e.textContent)")
    assert {"?×9", "?×1", "9×1", "scalar"} <= set(edges)


def test_gradient_and_source_are_read(board: tuple[Any, str]) -> None:
    assert shows(board, "text", "∂ loss/mse / ∂ theta  =  2/m · Xᵀ(Xθ − y)", "'loss/sub'")


def test_hyper_parameters_are_listed(board: tuple[Any, str]) -> None:
    assert shows(board, "hparams", "learning_rate", "0.010000", "GradientDescent")


def test_picture_of_the_readme(board: tuple[Any, str], screenshot: ModuleType) -> None:
    page, address = board
    page.open("about:blank")
    picture = screenshot.picture_of_graph(page, address)
    assert picture.startswith(b"\x89PNG")
    inside = page.ask("return deep('svg g.node').map(e => e.dataset.name)")
    assert {"loss/sub", "loss/Square", "loss/mse"} <= set(inside)
    assert "screenshot" not in sys.modules
