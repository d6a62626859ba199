"""Variables that belong to another one: an optimizer's slots, moving averages.

Law of this file: a slot of 'h/kernel' is named 'h/kernel/NAME' outside of every name scope, and inside the variable scope
that is open when it is made, as TF1 names it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import Tensor
from ..ops.array import fill, ones, zeros
from ..ops.state import Variable
from ..scopes import get_variable_scope


def filled(like: Variable, value: float) -> Callable[[], Tensor]:
    """What makes an initial value: one number everywhere, in the shape and dtype of a variable."""

    def make() -> Tensor:
        if value in (0, 1):
            return (ones if value else zeros)(like.shape, like.dtype)
        return fill(like.shape, np.asarray(value, like.dtype.as_numpy_dtype), "Const")

    return make


def slot(of: Variable | Tensor, start: Any, name: str) -> Variable:
    """A variable beside `of` that begins as `start`, is shared, and is not trained."""
    with of.graph.as_default(), of.graph.name_scope(None):
        scope = get_variable_scope().name
        return Variable(start, trainable=False, name=f"{scope}/{of.op.name}/{name}" if scope else f"{of.op.name}/{name}")
