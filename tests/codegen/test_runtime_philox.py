"""Random streams: known answers, TensorFlow's recorded numbers, and one value at a time from the rules."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from symgraph.codegen.runtime import philox, philox_numpy

DTYPES = {"f32": np.float32, "f64": np.float64, "int32": np.int32, "int64": np.int64, "permutation": np.int64}
FILLS = [n for n in philox_numpy.NAMES if n not in ("shuffle_permutation", "candidates_int64")]
MASK = 0xFFFFFFFF


def dtype_of(name):
    return DTYPES[name.rpartition("_")[2]]


def words_of(seed, seed2, index):
    """One group, in Python's integers."""
    c = [index & MASK, index >> 32, seed2 & MASK, seed2 >> 32]
    k = [seed & MASK, seed >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & MASK, (p >> 32) ^ c[3] ^ k[1], p & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def single(x):
    """x rounded to float32."""
    return float(np.float32(x))


class Rules:
    """TensorFlow's kernels, a value at a time in Python's numbers (float32 results rounded from float64)."""

    def __init__(self, position, seed, seed2):
        self.position, self.pair = position, (seed, seed2)

    def raw(self, kind, suffix, group):
        w = words_of(*self.pair, group)
        if kind == "uniform":
            if suffix == "f32":
                return [(x & 0x7FFFFF) / 2**23 for x in w]
            return [((w[i] & 0xFFFFF) << 32 | w[i + 1]) / 2**52 for i in (0, 2)]
        if kind == "int":
            return w if suffix == "int32" else [w[0] | w[1] << 32, w[2] | w[3] << 32]
        u, f = self.raw("uniform", suffix, group), single if suffix == "f32" else float
        z = []
        for i in range(0, len(u), 2):
            r = f(math.sqrt(f(-2 * f(math.log(max(u[i], f(1e-7)))))))
            v = f(2 * math.pi * u[i + 1])
            z += [f(f(math.sin(v)) * r), f(f(math.cos(v)) * r)]
        return z

    def draw(self, name, n):
        kind, suffix = name.rsplit("_", 1) if "int" not in name else ("int", name.rpartition("_")[2])
        size = 4 if suffix in ("f32", "int32") else 2
        out = []
        for g in range(-(-n // size)):
            if kind == "truncated_normal":
                group, part = self.position + g * size * 64, []
                while len(part) < size:
                    part += [z for z in self.raw("normal", suffix, group) if abs(z) < 2]
                    group += 1
                out += part[:size]
            else:
                out += self.raw(kind, suffix, self.position + g)
        self.position += 256 * n
        return out[:n]


@pytest.fixture(scope="module", params=[philox, philox_numpy], ids=["compiled", "numpy"])
def module(request):
    return request.param


def test_known_answers():
    """The vectors published with the algorithm (counter, key -> words), both in the module and in this file's rules."""
    full = 2**64 - 1
    for seed, seed2, index, want in (
        (0, 0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (full, full, full, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (0x299F31D0A4093822, 0x0370734413198A2E, 0x85A308D3243F6A88, "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ):
        got = philox_numpy.philox4x32(seed, seed2, np.array([index], np.uint64))[0].tolist()
        assert [f"{w:08x}" for w in got] == want.split() == [f"{w:08x}" for w in words_of(seed, seed2, index)]


def test_numbers_that_tensorflow_printed(module):
    out = np.empty(9, np.float32)
    module.uniform_f32(out, np.array([0, 42, 42]), np.float32(-1), np.float32(1))
    want = "-0.1673944 -0.46283674 -0.04063368 -0.27085733 0.9094229 0.8837292 0.2296679 -0.28315711 0.18720484"
    np.testing.assert_array_equal(out, np.array(want.split(), np.float32))
    for seed, seed2, values in (
        (42, 3, "0.63789964 0.8774011"),
        (42, 17, "0.96100175 0.17637014"),
        (87654321, 42, "0.95227146 0.8960779"),
    ):
        stream = np.array([0, seed, seed2])
        for value in values.split():
            module.uniform_f32(out[:1], stream, np.float32(0), np.float32(1))
            assert out[0] == np.float32(value)


@pytest.mark.parametrize("name", FILLS)
def test_rules_and_position(module, name):
    """Sizes 0, 1, odd, and more, one after another from one stream; a = 0 and a scale of 1 show the raw values."""
    real, rules = dtype_of(name), Rules(3, 42, 7)
    stream = np.array([3, 42, 7])
    span = 1000 if "int" in name else 1
    for n in (0, 1, 5, 64, 3):
        out = np.empty(n, real)
        getattr(module, name)(out, stream, real(0), real(span))
        want = rules.draw(name, n)
        assert stream.tolist() == [rules.position, 42, 7]
        if "int" in name:
            assert out.tolist() == [w % span for w in want]
        else:
            np.testing.assert_allclose(out, np.array(want), rtol=2 * np.finfo(real).eps)


@pytest.mark.parametrize("name", ["normal_f32", "truncated_normal_f32"])
def test_normals_are_those_of_libm(module, name):
    """libm's float32 functions round correctly in 98 of 100 normals; computed in float32 by others, 80 agree."""
    out = np.empty(3000, np.float32)
    getattr(module, name)(out, np.array([0, 42, 3]), np.float32(0), np.float32(1))
    want = np.array(Rules(0, 42, 3).draw(name, 3000), np.float32)
    assert np.mean(out == want) > 0.97


@pytest.mark.parametrize("name", FILLS)
def test_both_modules_give_the_same_bits(name):
    real = dtype_of(name)
    a, b = real(-3), real(11)
    for n in (0, 1, 2, 3, 4, 1001, 100_000):
        x, y, s, t = np.empty(n, real), np.empty(n, real), np.array([2**32 - 9, 2**40 + 5, 99]), np.array([2**32 - 9, 2**40 + 5, 99])
        getattr(philox, name)(x, s, a, b)
        getattr(philox_numpy, name)(y, t, a, b)
        assert x.tobytes() == y.tobytes()
        assert s.tolist() == t.tolist() == [2**32 - 9 + 256 * n, 2**40 + 5, 99]


def test_affine_maps_round_each_operation(module):
    """No fused multiply-add: it would change the last bit of about a third of these."""
    a, b = np.float32(0.1), np.float32(1.7)
    raw, out = np.empty(4000, np.float32), np.empty(4000, np.float32)
    for name, scale in (("uniform_f32", b - a), ("normal_f32", b), ("truncated_normal_f32", b)):
        getattr(module, name)(raw, np.array([0, 1, 2]), np.float32(0), np.float32(1))
        getattr(module, name)(out, np.array([0, 1, 2]), a, b)
        np.testing.assert_array_equal(out, raw * scale + a)


def test_integers_over_the_whole_range(module):
    low, high = np.int32(-(2**31)), np.int32(2**31 - 1)
    out = np.empty(4, np.int32)
    module.uniform_int32(out, np.array([0, 5, 6]), low, high)
    assert out.tolist() == [w % (2**32 - 1) - 2**31 for w in words_of(5, 6, 0)]
    module.uniform_int32(out, np.array([0, 5, 6]), np.int32(8), np.int32(8))
    assert out.tolist() == [8] * 4
    wide = np.empty(2, np.int64)
    module.uniform_int64(wide, np.array([0, 5, 6]), np.int64(-(2**63)), np.int64(2**63 - 1))
    w = words_of(5, 6, 0)
    assert wide.tolist() == [(w[i] | w[i + 1] << 32) % (2**64 - 1) - 2**63 for i in (0, 2)]


def test_shuffle(module):
    stream, position = np.array([10, 42, 1]), 10
    for n in (0, 1, 2, 3, 10, 1000):
        perm, want = np.arange(n), list(range(n))
        module.shuffle_permutation(perm, stream)
        for i in range(n - 1):
            j = i + words_of(42, 1, position + i // 4)[i % 4] % (n - i)
            want[i], want[j] = want[j], want[i]
        position += -(-(n - 1) // 4) if n > 1 else 0
        assert perm.tolist() == want
        assert stream.tolist() == [position, 42, 1]


def test_the_numpy_twin_needs_no_numba():
    code = "import sys; from symgraph.codegen.runtime import philox_numpy; assert not [m for m in sys.modules if m.startswith('numba')]"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_first_compiled_inside_a_kernel_that_contracts() -> None:
    """Numba hands the flags of a function on to what it calls and compiles meanwhile; the draws must not take them."""
    code = """
import numba, numpy as np
from symgraph.codegen.runtime import philox, philox_numpy
@numba.njit(fastmath={"contract"}, error_model="numpy")
def kernel(out, stream, a, b):
    philox.uniform_f32(out, stream, a, b)
a, b, out, wanted = np.float32(0.1), np.float32(1.7), np.empty(4000, np.float32), np.empty(4000, np.float32)
kernel(out, np.array([0, 1, 2]), a, b)
philox_numpy.uniform_f32(wanted, np.array([0, 1, 2]), a, b)
assert np.array_equal(out, wanted), (out != wanted).sum()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.mark.parametrize("how", [0, 1, 2, 3])
def test_candidates_are_the_same_without_numba(how):
    """Log-uniform and uniform, with and without repetition, twice from one stream."""
    streams = np.array([3, 42, 7]), np.array([3, 42, 7])
    for limit, n in ((5, 5), (1, 1), (1000, 64), (70, 69)):
        drawn = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
        for m, stream, out in zip((philox, philox_numpy), streams, drawn, strict=True):
            m.candidates_int64(out, stream, np.int64(limit), np.int64(how))
        assert drawn[0].tolist() == drawn[1].tolist() and streams[0].tolist() == streams[1].tolist()
        assert ((drawn[0][:n] >= 0) & (drawn[0][:n] < limit)).all() and drawn[0][n] >= n
        assert not how & 1 or len(set(drawn[0][:n].tolist())) == n
    assert streams[0][0] == 3 + 512 * (5 + 1 + 64 + 69)
