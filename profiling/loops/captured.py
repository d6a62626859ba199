"""PyTorch's steps as CUDA graphs: many steps are recorded once and launched again as one.

Law of this file: what a graph reads and writes keeps its place, so parameters, the optimizer's state and the number of the
step lie on the device and are put back in place.  On a CPU, which has no graphs, the same steps are run by Python: that is
how they are tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..timing import Side
from .problem import Problem, Workload

TOGETHER = 50
"""Steps that are recorded in one graph, at most."""


def side(torch: Any, workload: Workload, problem: Problem, device: str, compiled: bool) -> Side:
    """`compiled`: the loss and its gradients are `torch.compile`d, in shapes that are known, before they are recorded."""
    data, descent = [torch.from_numpy(a).to(device) for a in problem.data], problem.descent
    rows = None if problem.rows is None else torch.from_numpy(problem.rows).long().to(device)
    first = [torch.from_numpy(a).to(device) for a in problem.start]
    parameters = [a.clone().requires_grad_() for a in first]
    at = torch.zeros(1, dtype=torch.int64, device=device)
    optimizer = {
        "GradientDescent": lambda: torch.optim.SGD(parameters, descent.rate, fused=True),
        "Momentum": lambda: torch.optim.SGD(parameters, descent.rate, descent.momentum, fused=True),
        "Adam": lambda: torch.optim.Adam(
            parameters, descent.rate, (descent.beta1, descent.beta2), descent.epsilon, fused=True, capturable=device != "cpu"
        ),
    }[descent.kind]()
    together = math.gcd(problem.steps, TOGETHER)
    loss_of: Callable[..., Any] = lambda parameters, data: workload.torch(torch, parameters, data)  # noqa: E731
    if compiled:
        loss_of = torch.compile(loss_of, dynamic=False)

    def steps() -> None:
        for _ in range(together):
            optimizer.zero_grad(set_to_none=True)
            picked = None if rows is None else rows.index_select(0, at)[0]
            batch = data if picked is None else [a.index_select(0, picked) for a in data]
            loss_of(parameters, batch).backward()
            optimizer.step()
            at.add_(1)

    def reset() -> None:
        with torch.no_grad():
            at.zero_()
            for p, a in zip(parameters, first):
                p.copy_(a)
            for slots in optimizer.state.values():
                for slot in slots.values():
                    if torch.is_tensor(slot):
                        slot.zero_()

    replay: Callable[[], object] | None = None

    def run() -> None:
        nonlocal replay
        if replay is None:
            replay = steps if device == "cpu" else _recorded(torch, steps, reset)
        for _ in range(problem.steps // together):
            replay()
        if device != "cpu":
            torch.cuda.synchronize()

    return Side("PyTorch", run, lambda: list(workload.answer(problem, [p.detach().cpu().numpy() for p in parameters])), reset)


def _recorded(torch: Any, steps: Callable[[], None], reset: Callable[[], None]) -> Callable[[], object]:
    """What launches the kernels of `steps` again; libraries choose and allocate in the runs before, on a stream of their own."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(2):
            reset()
            steps()
        reset()
    torch.cuda.current_stream().wait_stream(aside)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        steps()
    return graph.replay
