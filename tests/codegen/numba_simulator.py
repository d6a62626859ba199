"""A plugin of pytest: what the tests of a device run in their simulator runs in Numba's.

Law of this file: the tests are left as they are; the process was started with NUMBA_ENABLE_CUDASIM=1.  Numba runs the blocks of
a launch one after the other, so a launch of several that meet at a barrier is skipped, and programs are tried on one.
"""

import pytest

from symgraph.codegen import plain_cuda
from tests.codegen import grids


def load(source, name="kernel"):
    namespace = {"__name__": "generated"}
    exec(compile(source, "<generated>", "exec", dont_inherit=True), namespace)
    return Launches(namespace[name], "barrier_wait" in source)


class Launches:
    def __init__(self, kernel, meets):
        self.kernel, self.meets = kernel, meets

    def __getitem__(self, configuration):
        if self.meets and configuration[0] > 1:
            pytest.skip("blocks run one after the other")
        return self.kernel[configuration]


plain_cuda.load, grids.BLOCKS = load, (1,)
