"""Variables that belong to another one: an optimizer's slots, moving averages.

Law of this file: a slot of 'h/kernel' is named 'h/kernel/NAME' outside of every name scope, and inside the variable scope
that is open when it is made, as TF1 names it.
"""

from __future__ import annotations

from typing import Any

from ..graph import Tensor
from ..ops.state import Variable
from ..scopes import get_variable_scope


def slot(of: Variable | Tensor, start: Any, name: str) -> Variable:
    """A variable beside `of` that begins as `start`, is shared, and is not trained."""
    with of.graph.as_default(), of.graph.name_scope(None):
        scope = get_variable_scope().name
        return Variable(start, trainable=False, name=f"{scope}/{of.op.name}/{name}" if scope else f"{of.op.name}/{name}")
