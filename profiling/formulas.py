"""How long formulas take: the derivative and the text of every textbook loss, and of nets as they grow deep.

Law of this file: nothing is fed or compiled.  The losses are those of tests/formula, each once, in one process that has
imported everything; a net is derived by all its weights, the fastest of three times.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import symgraph
from tests.formula.suite import measure, suite

from . import growth
from .timing import sample, seconds

sg: Any = symgraph  # some of its names come from tables, which type checkers do not follow
WIDTH = 8


def net(depth: int) -> tuple[Any, list[Any]]:
    """Half the sum of squares behind `depth` tanh layers, each of which adds to what it is given; and all weights, in order."""
    inputs, targets = sg.placeholder(sg.float64, (None, WIDTH), "X"), sg.placeholder(sg.float64, (None, WIDTH), "Y")
    hidden, weights = inputs, []
    for k in range(depth):
        weights += [sg.placeholder(sg.float64, (WIDTH, WIDTH), f"W{k}"), sg.placeholder(sg.float64, (WIDTH,), f"b{k}")]
        hidden = hidden + sg.tanh(sg.matmul(hidden, weights[-2]) + weights[-1])
    return sg.reduce_sum(sg.square(hidden - targets)) / 2, weights


def _deriving(depth: int) -> float:
    with sg.Graph().as_default():
        loss, weights = net(depth)
        return min(sample(lambda: sg.gradients(loss, weights), 1) for _ in range(3))


def _writing(depth: int) -> float:
    with sg.Graph().as_default():
        loss, weights = net(depth)
        (first,) = sg.gradients(loss, weights[:1])
        return min(sample(lambda: str(sg.formula(first)), 1) for _ in range(3))


def run(quick: bool) -> list[dict[str, Any]]:
    """The suite, slowest first, then the growths; `quick` takes a few rows and shallow nets, to see that it runs."""
    rows = [measure(loss) for loss in (suite()[::40] if quick else suite())]
    rows.sort(key=lambda m: -m.seconds)
    depths = (2, 4) if quick else (10, 20, 50, 100)
    return [
        {"name": "textbook losses", "rows": [{"loss": m.loss.name, "seconds": m.seconds, "ops": m.ops} for m in rows]},
        growth.growth("gradient by all weights over layers with skip connections", depths, _deriving),
        growth.growth("text of the first layer's gradient over layers", depths, _writing),
    ]


def text(found: Sequence[dict[str, Any]]) -> str:
    """Median and greatest of the suite, its slowest rows, and two lines for each growth."""
    rows, *grown = found
    times = [row["seconds"] for row in rows["rows"]]
    slowest = ", ".join(f"{row['loss']} {seconds(row['seconds'])}" for row in rows["rows"][:3])
    head = f"{rows['name']} ({len(times)})   derivative and text: median {seconds(median(times))}, greatest {seconds(max(times))}"
    return "\n".join([head, f"    slowest: {slowest}", growth.text(grown)])
