"""Array operations beside their values: names, counts, errors, sizes that are fed, and what is stored.

Law of this file: values and derivatives are in the table of operations (tests/train).  How many operations a call counts
for was read off TensorFlow 2.21 in its TF1 mode (`len(graph.get_operations())` before and after), with the exceptions of
linspace and the diagonals, which TF 1.x makes with fewer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
from symgraph import record


def matrix(*shape: int | None) -> sg.Tensor:
    return sg.placeholder(sg.float32, shape or (2, 3))


COUNTS: tuple[tuple[str, int, Callable[[], Any]], ...] = (
    ("one_hot", 5, lambda: sg.one_hot([0, 1], 3)),
    ("Tile", 3, lambda: sg.tile(matrix(), [2, 1])),
    ("Pad", 3, lambda: sg.pad(matrix(), [[1, 1], [0, 0]])),
    ("PadV2", 4, lambda: sg.pad(matrix(), [[1, 1], [0, 0]], constant_values=1.0)),
    ("MirrorPad", 3, lambda: sg.pad(matrix(), [[1, 1], [0, 0]], "REFLECT")),
    ("split", 3, lambda: sg.split(matrix(), 3, 1)[0]),
    ("split", 4, lambda: sg.split(matrix(), [1, 2], 1)[0]),
    ("GatherNd", 3, lambda: sg.gather_nd(matrix(), [[0, 1]])),
    ("ScatterNd", 4, lambda: sg.scatter_nd([[1], [0]], matrix(), [2, 3])),
    ("ReverseV2", 3, lambda: sg.reverse(matrix(), [0])),
    ("ReverseSequence", 3, lambda: sg.reverse_sequence(matrix(), [1, 2], 1)),
    ("Roll", 4, lambda: sg.roll(matrix(), 1, 0)),
    ("einsum", 3, lambda: sg.einsum("ij,kj->ik", matrix(), matrix())),
    ("Tensordot/MatMul", 3, lambda: sg.tensordot(matrix(), matrix(3, 2), 1)),
    ("Tensordot", 7, lambda: sg.tensordot(matrix(2, 3, 4), matrix(4, 3), 1)),
    ("Slice", 4, lambda: sg.slice(matrix(), [0, 0], [1, -1])),
    ("StridedSlice", 5, lambda: sg.strided_slice(matrix(), [0], [1], [1])),
    ("strided_slice", 5, lambda: matrix()[0]),
    ("LinSpace", 4, lambda: sg.linspace(0.0, 1.0, 3)),
    ("BroadcastTo", 3, lambda: sg.broadcast_to(matrix(), [4, 2, 3])),
    ("MatrixBandPart", 4, lambda: sg.matrix_band_part(matrix(), -1, 0)),
    ("UnsortedSegmentSum", 4, lambda: sg.unsorted_segment_sum(matrix(), [0, 1], 2)),
    ("l2_normalize", 8, lambda: sg.nn.l2_normalize(matrix(), 1)),
    ("matrix_transpose/transpose", 3, lambda: sg.matrix_transpose(matrix())),
    ("Cumsum", 3, lambda: sg.cumsum(matrix())),
    ("PlaceholderWithDefault", 2, lambda: sg.placeholder_with_default(1.0, [])),
    ("ToDouble", 2, lambda: sg.to_double(matrix())),
)


@pytest.mark.parametrize(("name", "count", "make"), [pytest.param(*row, id=f"{row[0]}_{row[1]}") for row in COUNTS])
def test_names_and_counts(name: str, count: int, make: Callable[[], Any]) -> None:
    with sg.Graph().as_default() as graph:
        assert make().op.name == name
        assert graph.counted == count


ERRORS: tuple[tuple[type[Exception], str, Callable[[], Any]], ...] = (
    (ValueError, "multiples to be a vector of length 2", lambda: sg.tile(matrix(), [2])),
    (ValueError, "split_dim 1 .size = 3. and num_split 2", lambda: sg.split(matrix(), 2, 1)),
    (ValueError, "add up to the dimension", lambda: sg.split(matrix(), [1, 1], 1)),
    (ValueError, "Unknown padding mode", lambda: sg.pad(matrix(), [[1, 1], [1, 1]], "EDGE")),
    (ValueError, "less than the dimension size", lambda: sg.pad(matrix(), [[2, 0], [0, 0]], "REFLECT")),
    (ValueError, "no greater than the dimension size", lambda: sg.pad(matrix(), [[3, 0], [0, 0]], "SYMMETRIC")),
    (ValueError, "rank of the input x 2", lambda: sg.pad(matrix(), [[1, 1]])),
    (ValueError, "axis 'j'", lambda: sg.einsum("ij,jk->ik", matrix(), matrix())),
    (ValueError, "Expected 2 inputs", lambda: sg.einsum("ij,jk->ik", matrix())),
    (ValueError, "not present in the input", lambda: sg.einsum("ij->k", matrix())),
    (ValueError, "made of letters", lambda: sg.einsum("i1->i", matrix())),
    (ValueError, "names 3 axes", lambda: sg.einsum("ijk->i", matrix())),
    (TypeError, "does not match type float32", lambda: sg.einsum("ij,jk->ik", matrix(), np.ones((3, 2), np.float64))),
    (ValueError, "Different number of contraction axes", lambda: sg.tensordot(matrix(), matrix(), [[0], [0, 1]])),
    (ValueError, "innermost dimension length must be <= params rank", lambda: sg.gather_nd(matrix(), [[0, 1, 2]])),
    (ValueError, "axis 0 specified more than once", lambda: sg.reverse(matrix(), [0, -2])),
    (NotImplementedError, "use tf.cast", lambda: sg.bitcast(matrix(), sg.int32)),
    (NotImplementedError, "use tf.to_float", lambda: sg.to_bfloat16(matrix())),
    (NotImplementedError, "data_format='NHWC'", lambda: sg.space_to_depth(matrix(1, 2, 2, 1), 2, data_format="NCHW")),
    (ValueError, "segment ids are not increasing", lambda: sg.segment_sum(matrix(), [1, 0])),
    (ValueError, "unsorted_segment_sum", lambda: sg.segment_sum(matrix(), sg.argmax(sg.ones([2, 3]), 1))),
    (TypeError, "does not match dtype", lambda: sg.one_hot([0], 2, sg.constant(1.0), dtype=sg.int32)),
    (ValueError, "3-element vectors", lambda: sg.cross(matrix(2, 2), matrix(2, 2))),
    (TypeError, "one number, not a tensor of shape", lambda: matrix()[sg.constant([0, 1])]),
    (TypeError, "tf.boolean_mask", lambda: matrix()[matrix() > 0]),
    (ValueError, "not compatible with expected shape", lambda: sg.ensure_shape(matrix(), [None, 2])),
    (ValueError, "Incompatible shapes for broadcasting", lambda: sg.broadcast_static_shape([2, 3], [4])),
)


@pytest.mark.parametrize(("kind", "words", "make"), [pytest.param(*row, id=row[1].replace(" ", "_")) for row in ERRORS])
def test_errors(kind: type[Exception], words: str, make: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=words):
        make()


def run(y: Any, feed: dict | None = None) -> Any:
    with sg.Session() as sess:
        return sess.run(y, feed)


def test_coordinates_outside_are_an_error_when_they_are_fed() -> None:
    """Each coordinate is judged by its own axis: (0, 3) of a 2x3 matrix is no element of the second row."""
    x, i = matrix(), sg.placeholder(sg.int32, [None, 2])
    y = sg.gather_nd(x, i)
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert run(y, {x: value, i: [[1, 2], [0, 1]]}).tolist() == [5, 1]
    for bad in ([[0, 3]], [[-1, 0]], [[2, 0]]):
        with pytest.raises(sg.errors.InvalidArgumentError):
            run(y, {x: value, i: bad})


def test_sizes_may_be_fed() -> None:
    x, n = matrix(None, None), sg.placeholder(sg.int32, [])
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert run(sg.one_hot([1], n), {n: 4}).tolist() == [[0, 1, 0, 0]]
    assert run(sg.tile(x, [n, 1]), {x: value, n: 2}).shape == (4, 3)
    assert run(sg.sequence_mask(n), {n: 3}).tolist() == [True] * 3
    assert run(x[:, : sg.shape(x)[1] - 1], {x: value}).tolist() == value[:, :-1].tolist()
    assert run(x[n:], {x: value, n: 1}).tolist() == value[1:].tolist()
    ids = sg.placeholder(sg.int32, [None])
    for fed in ([0, 1], [0, 0], [1, 3]):
        wanted = np.zeros((fed[-1] + 1, 3), np.float32)
        np.add.at(wanted, fed, value)
        assert run(sg.segment_sum(x, ids), {x: value, ids: fed}).tolist() == wanted.tolist()


def test_an_index_may_be_computed() -> None:
    """One plan serves every value of the index, and the gradient goes to where it pointed."""
    x, i = matrix(None, 3), sg.placeholder(sg.int64, [])
    value = np.arange(9, dtype=np.float32).reshape(3, 3)
    y, window = x[i, ..., i], sg.slice(x, [i, 0], [1, 2])
    slope = sg.gradients(sg.square(y), x)[0]
    with sg.Session() as sess:
        for k in (0, 2, -1):
            got, part, d = sess.run([y, sg.reduce_sum(x[i]), slope], {x: value, i: k})
            wanted = np.zeros((3, 3), np.float32)
            wanted[k, k] = 2 * value[k, k]
            assert (got, part) == (value[k, k], value[k].sum()) and d.tolist() == wanted.tolist()
        assert sess.run(window, {x: value, i: 1}).tolist() == [[3, 4]]
        with pytest.raises(sg.errors.InvalidArgumentError):
            sess.run(y, {x: value, i: 3})


def test_static_shapes_of_two_tensors() -> None:
    both = sg.broadcast_static_shape(sg.TensorShape([None, 1, 3]), sg.TensorShape([5, 1]))
    assert both.as_list() == [None, 5, 3]
    assert sg.broadcast_static_shape([None], [4]).as_list() == [4]


def test_dimensions_and_shapes() -> None:
    d, unknown = sg.Dimension(7), sg.Dimension(None)
    assert (9 - d).value == 2 and (15 // d).value == 2 and (d % 4).value == 3 and (9 % d).value == 2
    assert (d < 8, d <= 6, d > 6, d >= 8) == (True, False, True, False) and (d < unknown) is None
    assert d.merge_with(None).value == unknown.merge_with(7).value == 7 and not d.is_compatible_with(6)
    a, b = sg.TensorShape([None, 3]), sg.TensorShape([2, None])
    assert a.merge_with(b).as_list() == [2, 3] and (a + [4]).as_list() == a.concatenate([4]).as_list() == [None, 3, 4]
    assert ([1] + a).as_list() == [1, None, 3] and sg.TensorShape(None).with_rank(2).as_list() == [None, None]
    assert a.with_rank_at_least(2) is a and a.with_rank_at_most(2) is a and sg.dimension_value(a[1]) == 3
    assert sg.dimension_at_index(sg.TensorShape(None), 0).value is None
    for wrong in (
        lambda: a.merge_with([2, 4]),
        lambda: a.with_rank(3),
        lambda: a.with_rank_at_least(3),
        lambda: a.with_rank_at_most(1),
        lambda: a.assert_has_rank(1),
        lambda: a.assert_same_rank([1]),
        lambda: a.assert_is_fully_defined(),
        lambda: d.assert_is_compatible_with(8),
    ):
        with pytest.raises(ValueError, match="Shape|Dimensions"):
            wrong()


def test_a_placeholder_may_have_a_default() -> None:
    """What is built on it has the shape that was given; what runs has that of the default, or of what is fed."""
    v = sg.Variable([[1.0, 2.0]])
    x, flag = sg.placeholder_with_default(3 * v, [None, 2]), sg.placeholder_with_default(False, [], "flag")
    y = sg.reduce_sum(sg.square(x), 1)
    slope = sg.gradients(y, [x, v])
    assert (x.op.name, flag.name) == ("PlaceholderWithDefault", "flag:0")
    assert x.shape.as_list() == [None, 2] and y.shape.as_list() == [None] and flag.shape.as_list() == []
    with sg.Session() as sess:
        sess.run(sg.global_variables_initializer())
        got, (dx, dv) = sess.run([y, slope])
        assert got.tolist() == [45] and dx.tolist() == [[6, 12]] and dv.tolist() == [[18, 36]]
        got, (dx, dv) = sess.run([y, slope], {x: [[1, 1]]})
        assert got.tolist() == [2] and dx.tolist() == [[2, 2]] and dv.tolist() == [[6, 6]]
        assert sess.run(y, {x: [[1, 2], [3, 4]]}).tolist() == [5, 25]
        assert not sess.run(flag) and sess.run(flag, {flag: True})
        anything = sg.placeholder_with_default([1.0, 2.0], None)
        assert sess.run(2 * anything).tolist() == [2, 4] and sess.run(2 * anything, {anything: 3}) == 6
    with pytest.raises(ValueError, match="incompatible"):
        sg.placeholder_with_default([1.0, 2.0], [3])


def test_running_totals() -> None:
    """A loop that is made again is the same node, long ones are exact, and factors of 0 have their derivatives."""
    x = sg.placeholder(sg.float64, [None])
    assert sg.cumsum(x).node is sg.cumsum(x, 0).node
    value = np.random.default_rng(3).normal(size=2000)
    slope = sg.gradients(sg.reduce_sum(sg.cumprod(x)), x)[0]
    with sg.Session() as sess:
        assert sess.run(sg.cumsum(x), {x: value}).tolist() == np.cumsum(value).tolist()
        assert sess.run(slope, {x: [2.0, 0.0, 3.0, 5.0]}).tolist() == [1, 2 * (1 + 3 + 15), 0, 0]


def test_what_is_stored_is_made_again() -> None:
    """One graph with an operation of each kind, written and read."""
    with sg.Graph().as_default() as graph:
        x, i = sg.placeholder(sg.float32, [2, 3], name="x"), sg.placeholder(sg.int32, [], name="i")
        parts = [
            *sg.split(x, [1, 2], 1),
            *sg.split(x, 3, 1),
            *sg.meshgrid(x[0], x[1]),
            *sg.identity_n([x, i]),
            sg.one_hot([i, 1], 3),
            sg.pad(x, [[1, 0], [0, 1]], "SYMMETRIC"),
            x[i, 1:],
            x[:, i],
            sg.slice(x, [i, 0], [1, 2]),
            sg.einsum("ij,kj->ik", x, x),
            sg.tensordot(x, x, [[1], [1]]),
            sg.segment_max(x, [0, 2]),
            sg.unsorted_segment_mean(x, [0, i], 2),
            sg.gather(x, [[0, 1], [2, 2]], axis=1, batch_dims=1),
            sg.roll(x, i, 1),
            sg.sequence_mask([1, 2], dtype=sg.int32),
            sg.count_nonzero(x, 0),
            sg.cumsum(x, 1, reverse=True),
            sg.placeholder_with_default(x, [None, 3]) * 2,
        ]
        names = [p.name for p in parts]
        value = np.arange(6, dtype=np.float32).reshape(2, 3)
        before = sg.Session().run(parts, {x: value, i: 1})
        text = record.dumps(graph)
    with sg.Graph().as_default() as again:
        record.build_graph(record.loads(text), again)
        after = sg.Session().run([again.get_tensor_by_name(n) for n in names], {"x:0": value, "i:0": 1})
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a, b)
