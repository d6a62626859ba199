"""A small compiler for typed array programs: program -> phases -> loops -> Python source -> Numba.

It knows nothing of graphs or TensorFlow: everything enters as an `ir.Program`.

    compile(program)     generated source, compiled by Numba (target="python": the same source as plain Python)
    interpret(program)   plain NumPy, the judge of the other two
    worth_compiling      is the program short enough for `compile`?

The compiler is imported when the first of these is used, and Numba when something is compiled.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "Executable": "cpu",
    "DeviceError": "devices",
    "Disagreement": "judge",
    "Interpreted": "reference",
    "Judged": "judge",
    "ProgramTooLong": "cpu",
    "compile": "cpu",
    "compile_for": "device_launch",
    "compile_loop": "steps",
    "compile_loop_for": "device_launch",
    "hoist_loop": "steps",
    "interpret": "reference",
    "worth_compiling": "cpu",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
