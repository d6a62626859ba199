"""A small compiler for typed array programs: program -> phases -> loops -> Python source -> Numba.

It knows nothing of graphs or TensorFlow: everything enters as an `ir.Program`.

    compile(program)     generated source, compiled by Numba (target="python": the same source as plain Python)
    interpret(program)   plain NumPy, the judge of the other two
    worth_compiling      is the program short enough for `compile`?

Neither Numba nor SciPy is imported before something is compiled.
"""

from .cpu import Executable, ProgramTooLong, compile, worth_compiling  # noqa: A004
from .reference import Interpreted, interpret

__all__ = ["Executable", "Interpreted", "ProgramTooLong", "compile", "interpret", "worth_compiling"]
