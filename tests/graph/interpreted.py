"""Nodes' values without a graph around them: what rules are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from symgraph import codegen
from symgraph.composites import expand
from symgraph.emit import Emitter, Work
from symgraph.node import Node


def evaluate(nodes: Sequence[Node], values: Mapping[Node, np.ndarray]) -> list[np.ndarray]:
    """The nodes' values in the interpreter; `values` has their leaves."""
    emitter = Emitter({})
    (program,) = emitter.run([Work("test", {}, expand(nodes), {}, ())], list(values))
    return list(codegen.interpret(program).bind([])(*(values[n] for n in emitter.feeds)))
