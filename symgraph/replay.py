"""Replaying the record: the nodes of tensors, with some tensors replaced.

Law of this file: `Replay(substitution)` gives the node of any tensor as if the substituted tensors had been given
nodes from the start.  What does not depend on a substitution keeps the node it was built with, so replaying costs only
what changes.  Feeding, deriving with respect to an inner tensor, and freezing all go through this one door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from . import build
from .errors import NoGradientError
from .facts import on_nodes
from .gradients import Given
from .graph import Operation, Tensor, Unknown, build_nodes, builder
from .host import HOST
from .jacobians import DERIVATIVES
from .node import IDENTITY_LEAVES, Kind, Node, substitute
from .shapes import Extent


class Replay:
    """Nodes of tensors under a substitution (see the law above); `final` where it is known what is fed and what is not.

    `steps` says how many steps loops make whose own graph does not tell."""

    def __init__(
        self,
        substitution: Mapping[Tensor, Node],
        links: Iterable[Tensor] = (),
        final: bool = True,
        steps: Mapping[Operation, Extent] | None = None,
    ) -> None:
        self.final = final
        self.substitution = dict(substitution)
        self.steps = steps or {}
        self.linked = frozenset(links)
        self._memo: dict[Tensor, Node] = dict(substitution)

    def node(self, target: Tensor) -> Node:
        """The tensor's node; `Unknown` when it needs a rank that is not known."""
        stack = [target]
        while stack:
            t = stack[-1]
            if t in self._memo:
                stack.pop()
                continue
            op = t.op
            todo = [i for i in op.inputs if i not in self._memo]
            if todo:
                stack.extend(todo)
                continue
            for output, n in zip(op.outputs, self._build(op), strict=False):
                self._memo.setdefault(output, n)
            if t not in self._memo:
                raise Unknown
        return self._memo[target]

    def _build(self, op: Operation) -> Sequence[Node]:
        operands = [self._memo[i] for i in op.inputs]
        same = all(t.node is n for t, n in zip(op.inputs, operands, strict=True)) and op.type != "PlaceholderWithDefault"
        if same and op not in self.steps and all(t.node is not None for t in op.outputs):
            return [t.node for t in op.outputs]  # type: ignore[misc]
        return build_nodes(op, operands, self)

    def put(self, op: Operation, nodes: Sequence[Node]) -> None:
        """From here on, the operation's outputs have these nodes (it runs after something that it reads was written)."""
        self._memo.update(zip(op.outputs, nodes, strict=True))

    def own(self, t: Tensor) -> Node:
        """The node that the tensor's operation computes, also when the tensor itself is substituted."""
        operands = [self.node(i) for i in t.op.inputs]
        return build_nodes(t.op, operands, self)[t.value_index]


def upstream(roots: Iterable[Tensor], stop: Callable[[Tensor], bool] = lambda t: False) -> set[Tensor]:
    """The tensors that `roots` are computed from, themselves included."""
    seen: set[Tensor] = set()
    stack = list(roots)
    while stack:
        t = stack.pop()
        if t not in seen:
            seen.add(t)
            if not stop(t):
                stack.extend(t.op.inputs)
    return seen


_OPAQUE = frozenset(
    {"StopGradient", "Floor", "Ceil", "Round", "FloorDiv", "ArgMax", "ArgMin", "Shape", "Size", "Rank", "ZerosLike", "OnesLike"}
)
"""Operation types that no derivative passes: TF1 gives None through them."""


def opaque(t: Tensor) -> bool:
    """Does no derivative pass the tensor's operation?"""
    return t.op.type in _OPAQUE or t.op.type in HOST or not t.dtype.is_floating


def connected(ys: Sequence[Tensor], xs: Sequence[Tensor], stops: Sequence[Tensor] = ()) -> list[bool]:
    """For each x: does a differentiable path lead from it to some y, through none of `stops`?"""
    reached = upstream([y for y in ys if y.dtype.is_floating], lambda t: opaque(t) or t in stops)
    return [x.dtype.is_floating and x in reached for x in xs]


# ---------------------------------------------------------------- derivatives, as operations
_LEAF_TYPES = frozenset({"Placeholder", "VariableV2", "RandomDraw"})
"""Operations whose node belongs to them alone; with respect to any other tensor, a stand-in leaf is derived by."""


def derivative_hints(kind: str, ys: Sequence[Tensor], xs: Sequence[Tensor]) -> dict[str, Any]:
    """What a derivative says of its outputs for the time when their nodes are not known."""
    shapes = DERIVATIVES[kind].shapes([y.extents for y in ys], [x.extents for x in xs])
    of = ys if kind == "JacobianVectorProduct" else xs
    return {"_shapes": shapes, "_dtypes": [t.dtype for t in of]}


def _derivative(context: Any, op: Operation) -> tuple[Node, ...]:
    n_ys, n_xs, n_loops = op.attrs["ys"], op.attrs["xs"], op.attrs["loops"]
    ys, xs, rest = op.inputs[:n_ys], op.inputs[n_ys : n_ys + n_xs], op.inputs[n_ys + n_xs :]
    vectors, counted = rest[: len(rest) - n_loops], rest[len(rest) - n_loops :]
    steps = {t.op.inputs[0].op: context.node(t).shape[0] for t in counted}
    given: dict[Tensor, Node] = dict(getattr(context, "substitution", {}))
    linked = {t: given[t] for t in getattr(context, "linked", ())}
    at = {x: context.node(x) for x in xs}
    stops = {xs[k] for k in op.attrs["stops"]}
    whole = {x for x, n in at.items() if n.kind in IDENTITY_LEAVES and (x in given or x.op.type in _LEAF_TYPES)} - stops
    cuts = {x: build.leaf(Kind.CUT, x.op.name, n.shape, n.dtype) for x, n in at.items() if x not in whole}
    inner = Replay(given | cuts, linked, getattr(context, "final", False), steps)
    links: dict[Node, Callable[[], Node]] = {}
    if cuts or linked:
        for t, leaf in (linked | cuts).items():
            if t not in stops and upstream(t.op.inputs) & set(xs):
                links[leaf] = lambda t=t: inner.own(t)  # type: ignore[misc]
    y_nodes, v_nodes = ([inner.node(t) for t in tensors] for tensors in (ys, vectors))
    leaves = [cuts.get(x, at[x]) for x in xs]
    how = DERIVATIVES[op.type]
    try:
        facts = on_nodes(op.graph, upstream([*ys, *vectors]), inner.node)
        found = how.make(y_nodes, v_nodes, leaves, Given(links, facts, getattr(context, "trace", None)))
    except NoGradientError as e:
        above = sorted(upstream(ys), key=lambda t: t.op.number)
        through = next((t.op for t in above if e.args[0] in (inner.node(t), *inner.node(t).operands)), None)
        what = "an operation" if through is None else f"operation '{through.name}' (op type: {through.type})"
        where = "" if through is None else f"\nthe path from y to x runs through {through.described()}"
        why = "".join(f"\n{reason}" for reason in e.args[1:])
        raise NoGradientError(f"No gradient defined for {what}{where}{why}") from None
    shapes = how.shapes([y.shape for y in y_nodes], [n.shape for n in leaves])
    results = [n or build.filled(0, shape or (), d) for n, shape, d in zip(found, shapes, op.attrs["_dtypes"], strict=True)]
    back = {leaf: at[x] for x, leaf in cuts.items()}
    return tuple(substitute(results, back, build.rebuild)) if back else tuple(results)


for _kind in DERIVATIVES:
    builder(_kind, lambda op: op.attrs["_dtypes"][0], contextual=True)(_derivative)
