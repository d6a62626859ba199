"""`tf.test`: what programs ask of the machine, and a TestCase with assertions on arrays.

Law of this file: what it says of devices is what `sg.list_devices` says.
"""

from __future__ import annotations

import tempfile
import unittest
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import Any
from unittest import main, mock

import numpy as np

from .codegen.devices import list_devices
from .errors import OpError
from .graph import Graph, get_default_graph, reset_default_graph
from .ops.random import set_random_seed
from .session import Session

__all__ = ["TestCase", "get_temp_dir", "gpu_device_name", "is_built_with_cuda", "is_gpu_available", "main", "mock"]


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Is there a GPU that programs can run on, of at least this compute capability, a pair (major, minor)?"""
    least = tuple(min_cuda_compute_capability or (0, 0))
    return any(d.device_type == "GPU" and (d.compute_capability or (0, 0)) >= least for d in list_devices())


def is_built_with_cuda() -> bool:
    """Is numba-cuda installed?"""
    return find_spec("numba_cuda") is not None


def gpu_device_name() -> str:
    """The name of the first GPU that programs can run on, '' if there is none."""
    return next((d.name for d in list_devices() if d.device_type == "GPU"), "")


def get_temp_dir() -> str:
    """A folder for files of tests."""
    return tempfile.mkdtemp(prefix="symgraph_test_")


class TestCase(unittest.TestCase):
    """unittest's, with a fresh default graph for each test and assertions on arrays."""

    __test__ = False  # the base class itself is no test of pytest's

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__test__ = True

    def setUp(self) -> None:
        reset_default_graph()
        set_random_seed(87654321)

    def get_temp_dir(self) -> str:
        """A folder for the test's files."""
        return get_temp_dir()

    @contextmanager
    def session(self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False, force_gpu: bool = False) -> Iterator[Session]:
        """A session on the graph, the default one, that is the default session inside."""
        with Session(graph=graph or get_default_graph(), config=config) as sess:
            yield sess

    cached_session = session

    def test_session(self, *args: Any, **kwargs: Any) -> AbstractContextManager[Session]:
        """`session`; its name makes it look like a test, which it is not."""
        if self._testMethodName == "test_session":
            self.skipTest("Not a test.")
        return self.session(*args, **kwargs)

    def evaluate(self, tensors: Any) -> Any:
        """Their values in the default session."""
        sess = get_default_graph().default_session()
        if sess is None:
            with Session() as own:
                return own.run(tensors)
        return sess.run(tensors)

    def assertAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        """Equal shapes and elements; NaN equals NaN."""
        np.testing.assert_array_equal(a, b, err_msg=msg or "")

    def assertAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        """Equal shapes, and abs(a - b) <= atol + rtol abs(b); in lists and dicts too."""
        if isinstance(a, dict):
            self.assertEqual(set(a), set(b), msg)
            for k in a:
                self.assertAllClose(a[k], b[k], rtol, atol, f"{k} {msg or ''}")
        elif isinstance(a, list | tuple) and any(np.ndim(x) for x in a) and len({np.shape(x) for x in a}) > 1:
            self.assertEqual(len(a), len(b), msg)
            for x, y in zip(a, b, strict=True):
                self.assertAllClose(x, y, rtol, atol, msg)
        else:
            self.assertEqual(np.shape(a), np.shape(b), msg)
            np.testing.assert_allclose(a, b, rtol, atol, err_msg=msg or "")

    assertAllCloseAccordingToType = assertAllClose

    def assertNear(self, f1: float, f2: float, err: float, msg: str | None = None) -> None:
        """abs(f1 - f2) <= err"""
        self.assertTrue(f1 == f2 or abs(f1 - f2) <= err, msg or f"{f1} != {f2} +/- {err}")

    def assertArrayNear(self, farray1: Any, farray2: Any, err: float, msg: str | None = None) -> None:
        """`assertNear`, element by element."""
        self.assertEqual(len(farray1), len(farray2), msg)
        for a, b in zip(farray1, farray2, strict=True):
            self.assertNear(float(a), float(b), err, msg)

    def assertShapeEqual(self, np_array: Any, tf_tensor: Any, msg: str | None = None) -> None:
        """The tensor has the array's shape."""
        self.assertEqual(list(np.shape(np_array)), tf_tensor.get_shape().as_list(), msg)

    def assertRaisesOpError(self, expected: str | Callable[[Any], bool]) -> AbstractContextManager[Any]:
        """What is inside raises an error of tf.errors with these words."""
        return self.assertRaisesRegex(OpError, expected) if isinstance(expected, str) else self.assertRaises(OpError)
