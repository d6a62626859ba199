"""How each library runs a `Workload`'s loop, as its users would write it for speed.

Law of this file: a library is imported by the function that makes its side, so one that is not installed is merely absent.  A side is
built, `run` trains from the first parameters to the last, and the first run is where a library compiles.  Everybody
may use every core.  TensorFlow runs one `session.run` per step; JAX one jitted scan over all steps with its state donated;
PyTensor one scan; PyTorch eagerly, with its own optimizers; we run one `run_loop`.  On a GPU (`device`) data and parameters lie
there before the clock runs, products are in full float32 for everybody, and PyTorch also has its steps as CUDA graphs.

PyTorch's OpenMP threads spin while they wait, by default for milliseconds: on two cores that others use too, 20 steps of the
autoencoder took 0.7 to 4.5 s, with or without other libraries in the process; with a spin of 10,000 turns, which outlasts
the gap between two operations, 0.03 s.  So that is what is set, unless the caller's GOMP_SPINCOUNT says otherwise.
`torch.compile` is left out: it took 20 s for the loss of linear regression, whose loop then ran at a thirtieth of eager's speed.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..timing import Side
from . import bandwidth, captured
from .problem import OURS, Descent, Problem, Workload

Maker = Callable[[Workload, Problem], Side]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load(*names: str) -> Any:
    """The first of these modules; the others are imported as well."""
    for name in names:
        importlib.import_module(name)
    return importlib.import_module(names[0])


def import_symgraph() -> Any:
    """With what its first compilation would load, so that no clock counts it as compiling."""
    return load("symgraph", "symgraph.codegen", "sympy", "numba", "scipy.linalg")


def import_tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    module = load("tensorflow").compat.v1
    module.disable_eager_execution()
    module.logging.set_verbosity(module.logging.ERROR)
    return module


def import_jax() -> Any:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    return load("jax", "jax.numpy", "jax.scipy.special")


def import_torch() -> Any:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    torch = load("torch")
    torch.set_num_threads(cores())
    return torch


def import_pytensor() -> Any:
    return load("pytensor", "pytensor.tensor", "pytensor.tensor.special")


IMPORTS: dict[str, tuple[str, Callable[[], Any]]] = {
    OURS: ("symgraph", import_symgraph),
    "NumPy": ("numpy", lambda: load("numpy")),
    "TensorFlow": ("tensorflow", import_tensorflow),
    "JAX": ("jax", import_jax),
    "PyTorch": ("torch", import_torch),
    "PyTensor": ("pytensor", import_pytensor),
}
"""Library -> its module, and what imports it as its side needs it."""


# ---------------------------------------------------------------- TensorFlow 1 and us
def _optimizer(tf: Any, descent: Descent) -> Any:
    return {
        "GradientDescent": lambda: tf.train.GradientDescentOptimizer(descent.rate),
        "Momentum": lambda: tf.train.MomentumOptimizer(descent.rate, descent.momentum),
        "Adam": lambda: tf.train.AdamOptimizer(descent.rate, descent.beta1, descent.beta2, descent.epsilon),
    }[descent.kind]()


def _session(tf: Any, name: str, workload: Workload, problem: Problem, loop: Callable[[Any, Any, list], object], **where: str) -> Side:
    """A side whose graph takes batches as placeholders and whole data as constants; `loop(session, step, inputs)` trains."""
    with tf.Graph().as_default():
        if problem.rows is None:
            inputs, data = [], [tf.constant(a) for a in problem.data]
        else:
            data = [tf.placeholder(a.dtype.name, (None, *a.shape[1:])) for a in problem.data]
            inputs = data
        parameters = [tf.Variable(a) for a in problem.start]
        step = _optimizer(tf, problem.descent).minimize(workload.graph(tf, parameters, data))
        start = tf.global_variables_initializer()
        sess = tf.Session(**where)
    return Side(
        name,
        lambda: loop(sess, step, inputs),
        lambda: list(workload.answer(problem, sess.run(parameters))),
        lambda: sess.run(start),
    )


def _run_per_step(problem: Problem) -> Callable[[Any, Any, list], None]:
    def loop(sess: Any, step: Any, inputs: list) -> None:
        if problem.rows is None:
            for _ in range(problem.steps):
                sess.run(step)
        else:
            for rows in problem.rows:
                sess.run(step, feed_dict={t: a[rows] for t, a in zip(inputs, problem.data)})

    return loop


def tensorflow(workload: Workload, problem: Problem) -> Side:
    return _session(import_tensorflow(), "TensorFlow", workload, problem, _run_per_step(problem))


def ours_per_step(workload: Workload, problem: Problem) -> Side:
    return _session(import_symgraph(), "symgraph, a run per step", workload, problem, _run_per_step(problem))


def ours(workload: Workload, problem: Problem, *, reassociate: bool = False, device: str = "cpu") -> Side:
    sg = import_symgraph()
    sg.set_threads(cores())
    batches = None if problem.rows is None else sg.Minibatch(indices=problem.rows)
    data = [_to_device(a) for a in problem.data] if batches and device != "cpu" else problem.data

    def loop(sess: Any, step: Any, inputs: list) -> None:
        feed = dict(zip(inputs, data))
        sess.run_loop(step, problem.steps, feed_dict=feed, minibatch=batches, progress=False, reassociate=reassociate)

    return _session(sg, "symgraph, reassociate" if reassociate else OURS, workload, problem, loop, device=device)


def _to_device(array: np.ndarray) -> Any:
    from numba import cuda

    return cuda.to_device(array)


# ---------------------------------------------------------------- the others
def numpy(workload: Workload, problem: Problem) -> Side:
    parameters, train = problem.fresh(), workload.numpy
    assert train is not None

    def reset() -> None:
        for p, first in zip(parameters, problem.start):
            p[...] = first

    return Side("NumPy", lambda: train(problem, parameters), lambda: list(workload.answer(problem, parameters)), reset)


def _slots(problem: Problem) -> list[list[np.ndarray]]:
    return [[np.zeros_like(p) for _ in range(problem.descent.slots)] for p in problem.start]


def _descended(descent: Descent, sqrt: Callable[[Any], Any], step: Any, p: Any, g: Any, slots: Sequence[Any]) -> tuple[Any, list]:
    """The parameter and its slots after a step, in any library whose arrays have operators and the dtypes of NumPy."""
    number = np.dtype(p.dtype).type
    if descent.kind == "GradientDescent":
        return p - number(descent.rate) * g, []
    if descent.kind == "Momentum":
        a = number(descent.momentum) * slots[0] + g
        return p - number(descent.rate) * a, [a]
    m = slots[0] + number(1 - descent.beta1) * (g - slots[0])
    v = slots[1] + number(1 - descent.beta2) * (g * g - slots[1])
    return p - descent.corrected(step).astype(p.dtype) * m / (sqrt(v) + number(descent.epsilon)), [m, v]


def jax(workload: Workload, problem: Problem, device: str = "cpu") -> Side:
    jax = import_jax()
    jax.config.update("jax_default_device", jax.devices(device)[0])
    jax.config.update("jax_default_matmul_precision", "float32")  # on a GPU it would round factors to TF32
    jax.config.update("jax_enable_x64", problem.start[0].dtype == np.float64)
    data, rows = [jax.numpy.asarray(a) for a in problem.data], None if problem.rows is None else jax.numpy.asarray(problem.rows)
    state: Any = None

    def step(state: Any, k: Any, data: Any) -> Any:
        parameters, slots = state
        gradients = jax.grad(lambda p: workload.jax(jax, p, data))(parameters)
        done = [_descended(problem.descent, jax.numpy.sqrt, k, *each) for each in zip(parameters, gradients, slots)]
        return [p for p, _ in done], [s for _, s in done]

    def train(state: Any, data: Any, rows: Any) -> Any:
        if rows is None:
            return jax.lax.fori_loop(0, problem.steps, lambda k, state: step(state, k, data), state)

        def with_rows(state: Any, turn: Any) -> Any:
            k, picked = turn
            return step(state, k, [a[picked] for a in data]), None

        return jax.lax.scan(with_rows, state, (jax.numpy.arange(problem.steps), rows))[0]

    compiled = jax.jit(train, donate_argnums=0)

    def reset() -> None:
        nonlocal state
        state = jax.block_until_ready(jax.device_put((problem.fresh(), _slots(problem))))

    def run() -> None:
        nonlocal state
        state = jax.block_until_ready(compiled(state, data, rows))

    return Side("JAX", run, lambda: list(workload.answer(problem, [np.asarray(p) for p in state[0]])), reset)


def torch(workload: Workload, problem: Problem, device: str = "cpu") -> Side:
    torch = import_torch()
    data, descent = [torch.from_numpy(a).to(device) for a in problem.data], problem.descent
    rows = None if problem.rows is None else torch.from_numpy(problem.rows).to(device)
    parameters = [torch.from_numpy(a).to(device).requires_grad_() for a in problem.fresh()]
    optimizer: Any = None
    makers: dict[str, Callable[[], Any]] = {
        "GradientDescent": lambda: torch.optim.SGD(parameters, descent.rate),
        "Momentum": lambda: torch.optim.SGD(parameters, descent.rate, descent.momentum),
        "Adam": lambda: torch.optim.Adam(parameters, descent.rate, (descent.beta1, descent.beta2), descent.epsilon),
    }

    def reset() -> None:
        nonlocal optimizer
        with torch.no_grad():
            for p, first in zip(parameters, problem.start):
                p.copy_(torch.from_numpy(first))
        optimizer = makers[descent.kind]()

    def run() -> None:
        for k in range(problem.steps):
            optimizer.zero_grad()
            batch = data if rows is None else [a[rows[k]] for a in data]
            workload.torch(torch, parameters, batch).backward()
            optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()

    return Side("PyTorch", run, lambda: list(workload.answer(problem, [p.detach().cpu().numpy() for p in parameters])), reset)


def torch_graphs(workload: Workload, problem: Problem, device: str = "cuda", *, compiled: bool = False) -> Side:
    """PyTorch, many steps a launch; `compiled`: the loss and its gradients by `torch.compile`."""
    return captured.side(import_torch(), workload, problem, device, compiled)


def pytensor(workload: Workload, problem: Problem) -> Side:
    pytensor = import_pytensor()
    pt, count = pytensor.tensor, len(problem.start)
    pytensor.config.floatX = problem.start[0].dtype.name
    data = [pytensor.shared(a, shape=a.shape) for a in problem.data]
    first = [*problem.start, *(s for slots in _slots(problem) for s in slots)]
    state = [pytensor.shared(a, shape=a.shape) for a in first]
    sequences = [pt.arange(problem.steps)] + ([] if problem.rows is None else [pytensor.shared(problem.rows, shape=problem.rows.shape)])
    compiled: Any = None
    loss_of = workload.pytensor
    assert loss_of is not None

    def step(k: Any, *rest: Any) -> list:
        picked, values = ([], rest) if problem.rows is None else (rest[0], rest[1:])
        parameters, slots = values[:count], values[count:]
        loss = loss_of(pytensor, parameters, data if problem.rows is None else [a[picked] for a in data])
        each = problem.descent.slots
        done = [
            _descended(problem.descent, pt.sqrt, k, p, g, slots[i * each : (i + 1) * each])
            for i, (p, g) in enumerate(zip(parameters, pytensor.grad(loss, parameters)))
        ]
        return [p for p, _ in done] + [s for _, slots in done for s in slots]

    def run() -> None:
        nonlocal compiled
        if compiled is None:
            trails = pytensor.scan(step, sequences=sequences, outputs_info=state, return_updates=False)
            trails = trails if isinstance(trails, list) else [trails]
            compiled = pytensor.function([], [], updates=[(v, trail[-1]) for v, trail in zip(state, trails)], mode=workload.mode)
        compiled()

    def reset() -> None:
        for v, a in zip(state, first):
            v.set_value(a)

    return Side("PyTensor", run, lambda: list(workload.answer(problem, [v.get_value() for v in state[:count]])), reset)


def reading(workload: Workload, problem: Problem) -> Side:
    """Not a library: all cores read the features once per step."""
    return Side("reading alone", bandwidth.reader(problem.data[0], problem.steps, cores()), lambda: None)


def copying(workload: Workload, problem: Problem) -> Side:
    """Not a library: a GPU copies until it has moved as many bytes as the steps must at least move."""
    return Side("copying alone", bandwidth.copier(problem.traffic * problem.steps), lambda: None)


SIDES: dict[str, tuple[str, Maker]] = {
    OURS: (OURS, ours),
    "symgraph, reassociate": (OURS, lambda workload, problem: ours(workload, problem, reassociate=True)),
    "symgraph, a run per step": (OURS, ours_per_step),
    "NumPy": ("NumPy", numpy),
    "TensorFlow": ("TensorFlow", tensorflow),
    "JAX": ("JAX", jax),
    "PyTorch": ("PyTorch", torch),
    "PyTensor": ("PyTensor", pytensor),
    "reading alone": (OURS, reading),
    "symgraph, cuda": (OURS, partial(ours, device="cuda")),
    "JAX, cuda": ("JAX", partial(jax, device="cuda")),
    "PyTorch, cuda": ("PyTorch", partial(torch, device="cuda")),
    "PyTorch, cuda graphs": ("PyTorch", torch_graphs),
    "PyTorch, compiled": ("PyTorch", partial(torch_graphs, compiled=True)),
    "copying alone": (OURS, copying),
}
"""Side -> the library that must be installed for it, and what builds it."""
