"""What programs say of the machine, of devices, and of TensorFlow's version.

Law of this file: it is accepted and changes nothing, but for devices (placement.py): a session computes on this machine's
cores, as many as `sg.set_threads` says, or on its GPU.  Messages have TF1's fields; another one is a mistake.
"""

from __future__ import annotations

import copy
import logging
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from .graph import get_default_graph
from .log import LOG

VERSION = "1.15.0"
"""The TensorFlow whose names and meaning these are; symgraph's own version is `__version__`."""
GIT_VERSION = "symgraph"
GRAPH_DEF_VERSION = 134


# ---------------------------------------------------------------- messages
class Message:
    """A record of settings; a field that holds other settings is made when it is first asked for."""

    fields: ClassVar[dict[str, Any]] = {}

    def __init__(self, **given: Any) -> None:
        for name, value in given.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in type(self).fields:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}; it has {', '.join(type(self).fields)}")
        default = type(self).fields[name]
        made = default() if isinstance(default, type) else copy.copy(default)
        self.__dict__[name] = made
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in type(self).fields:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}; it has {', '.join(type(self).fields)}")
        self.__dict__[name] = value

    def CopyFrom(self, other: Message) -> None:
        """Take all of another one's settings."""
        self.__dict__.clear()
        self.__dict__.update(copy.deepcopy(vars(other)))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(getattr(self, n) == getattr(other, n) for n in type(self).fields)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in vars(self).items())})"


def _message(name: str, constants: dict[str, int] | None = None, **fields: Any) -> type[Message]:
    return type(name, (Message,), {"__doc__": f"TF1's {name}: accepted, without effect.", "fields": fields, **(constants or {})})


GPUOptions = _message(
    "GPUOptions",
    per_process_gpu_memory_fraction=0.0,
    allow_growth=False,
    allocator_type="",
    deferred_deletion_bytes=0,
    visible_device_list="",
    polling_active_delay_usecs=0,
    polling_inactive_delay_msecs=0,
    force_gpu_compatible=False,
    experimental=dict,
)
OptimizerOptions = _message(
    "OptimizerOptions",
    {"L0": -1, "L1": 0, "DEFAULT": 0, "OFF": -1, "ON_1": 1, "ON_2": 2},
    do_common_subexpression_elimination=False,
    do_constant_folding=False,
    max_folded_constant_in_bytes=0,
    do_function_inlining=False,
    opt_level=0,
    global_jit_level=0,
)
RewriterConfig = _message("RewriterConfig", {"DEFAULT": 0, "ON": 1, "OFF": 2, "AGGRESSIVE": 3}, disable_meta_optimizer=False)
GraphOptions = _message(
    "GraphOptions",
    enable_recv_scheduling=False,
    optimizer_options=OptimizerOptions,
    build_cost_model=0,
    build_cost_model_after=0,
    infer_shapes=False,
    place_pruned_graph=False,
    enable_bfloat16_sendrecv=False,
    timeline_step=0,
    rewrite_options=RewriterConfig,
)
ConfigProto = _message(
    "ConfigProto",
    device_count={},
    intra_op_parallelism_threads=0,
    inter_op_parallelism_threads=0,
    use_per_session_threads=False,
    session_inter_op_thread_pool=[],
    placement_period=0,
    device_filters=[],
    gpu_options=GPUOptions,
    allow_soft_placement=False,
    log_device_placement=False,
    graph_options=GraphOptions,
    operation_timeout_in_ms=0,
    isolate_session_state=False,
    experimental=dict,
)
RunOptions = _message(
    "RunOptions",
    {"NO_TRACE": 0, "SOFTWARE_TRACE": 1, "HARDWARE_TRACE": 2, "FULL_TRACE": 3},
    trace_level=0,
    timeout_in_ms=0,
    inter_op_thread_pool=0,
    output_partition_graphs=False,
    report_tensor_allocations_upon_oom=False,
)
RunMetadata = _message("RunMetadata", step_stats=dict, cost_graph=dict, partition_graphs=[], function_graphs=[])


# ---------------------------------------------------------------- devices
def device(device_name_or_function: Any) -> AbstractContextManager[None]:
    """A context whose operations ask for a device: '/gpu:0', '/cpu:0', a function of an operation that gives a name, or None.

    A program runs on one device as a whole: on a GPU when any of its operations asks for one, unless `Session(device=...)`
    or SYMGRAPH_DEVICE say otherwise.  InvalidArgumentError when it is run and there is no such device, but for a config
    with `allow_soft_placement=True`: then it runs on the CPU.

    >>> import symgraph as tf
    >>> with tf.device("/gpu:0"):
    ...     print(tf.constant(1.0).device)
    /device:GPU:0
    """
    return get_default_graph().device(device_name_or_function)


def colocate_with(op: Any, ignore_existing: bool = False) -> AbstractContextManager[None]:
    """A context whose operations TF1 would have put beside `op`; here a hint that changes nothing."""
    return get_default_graph().colocate_with(op, ignore_existing)


def container(container_name: str) -> AbstractContextManager[str]:
    """A context that names where TF1 kept variables; here a hint that changes nothing."""
    return get_default_graph().container(container_name)


def get_logger() -> logging.Logger:
    """The logger of `tf.logging`."""
    return LOG


# ---------------------------------------------------------------- switches
def disable_v2_behavior() -> None:
    """Nothing to do: graphs and sessions are all there is."""


def disable_eager_execution() -> None:
    """Nothing to do: nothing runs before a session runs it."""


def disable_resource_variables() -> None:
    """Nothing to do: variables are TF1's."""


disable_v2_tensorshape = disable_control_flow_v2 = disable_tensor_equality = disable_resource_variables


def executing_eagerly() -> bool:
    """False: operations are recorded, and run by a session."""
    return False


resource_variables_enabled = control_flow_v2_enabled = executing_eagerly
