"""Gradients of tables: `IndexedSlices`, who takes them, and steps that touch only the rows that were used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symgraph as tf
from tests.train.test_trajectories import OPTIMIZERS

T = tf.train
rng = np.random.default_rng(0)
START = np.linspace(-1, 1, 12).reshape(6, 2).astype(np.float32)
LOOKUPS = [[1, 4, 1], [0], [5, 5, 2, 4], [1, 1], [0, 4], [2, 0]]

# what the table held after LOOKUPS, recorded from TensorFlow 2.21 in its TF1 mode
SPARSE: dict[str, list[float]] = {
    "GradientDescent": [
        -0.51199996,
        -0.59645456,
        -0.22909091,
        -0.2909091,
        -0.17454545,
        -0.07363637,
        0.09090909,
        0.27272728,
        0.23272729,
        0.4639091,
        0.49090904,
        0.79999995,
    ],
    "Momentum": [
        -0.062000006,
        -0.39763638,
        0.0,
        -0.20909092,
        -0.12545455,
        -0.06545455,
        0.09090909,
        0.27272728,
        0.028181836,
        0.3092727,
        0.49090907,
        0.8,
    ],
    "Nesterov": [
        0.108351976,
        -0.2678081,
        0.16952726,
        -0.10109094,
        -0.06065455,
        -0.052281823,
        0.09090909,
        0.27272728,
        -0.049250916,
        0.2082952,
        0.19636363,
        0.62,
    ],
    "Adagrad": [
        -0.7822992,
        -0.61096317,
        -0.47291446,
        -0.30018693,
        -0.13535544,
        -0.044394236,
        0.09090909,
        0.27272728,
        0.2555068,
        0.43818712,
        0.7186454,
        0.90122706,
    ],
    "RMSProp": [
        -0.17452648,
        -0.38472116,
        -0.11484158,
        -0.20533384,
        -0.118505694,
        -0.06368146,
        0.09090909,
        0.27272728,
        0.019302681,
        0.29282802,
        0.58507323,
        0.8245884,
    ],
    "RMSProp, centered": [
        -0.6715212,
        -0.63363326,
        -0.41701463,
        -0.33865878,
        -0.19925782,
        -0.07793633,
        0.09090909,
        0.27272728,
        0.26287332,
        0.48806253,
        0.7149739,
        0.91666955,
    ],
    "Adam": [
        -0.68052185,
        -0.4998628,
        -0.24416831,
        -0.06989933,
        -0.057145536,
        0.068041325,
        0.09090909,
        0.27272728,
        0.02219998,
        0.19099769,
        0.61962515,
        0.80144334,
    ],
    "Adadelta": [
        -0.99986434,
        -0.81804615,
        -0.6362736,
        -0.45445544,
        -0.27263725,
        -0.0908191,
        0.09090909,
        0.27272728,
        0.45440978,
        0.63622797,
        0.8181371,
        0.9999553,
    ],
    "Adadelta of 1": [
        -0.71136343,
        -0.5356806,
        -0.44258508,
        -0.265865,
        -0.09696436,
        -0.0024026372,
        0.09090909,
        0.27272728,
        0.19263217,
        0.36229143,
        0.71822846,
        0.9001248,
    ],
    "AdagradDA": [
        0.07958539,
        0.07254823,
        0.08277635,
        0.073423035,
        0.056963593,
        0.019164559,
        0.09090909,
        0.27272728,
        -0.057807986,
        -0.06531671,
        -0.099536434,
        -0.09877297,
    ],
    "AdagradDA, l1 and l2": [
        0.06442559,
        0.039403036,
        0.07390778,
        0.05071961,
        0.017827854,
        0.0,
        0.09090909,
        0.27272728,
        -0.0350218,
        -0.03135212,
        -0.093687214,
        -0.0889684,
    ],
    "Ftrl": [
        -0.63788956,
        -0.3491874,
        -0.40049574,
        -0.17064445,
        -0.033937085,
        0.016788337,
        0.09090909,
        0.27272728,
        0.13975322,
        0.19993556,
        0.6399549,
        0.7450533,
    ],
    "Ftrl, power": [
        -0.7001454,
        -0.31028816,
        -0.4601492,
        -0.15861411,
        -0.018665293,
        0.014677692,
        0.09090909,
        0.27272728,
        0.13320169,
        0.15856554,
        0.69143885,
        0.77287483,
    ],
    "Ftrl, l1 and l2": [
        -0.6129794,
        -0.30816168,
        -0.3842445,
        -0.13996714,
        -0.0012172469,
        0.0,
        0.09090909,
        0.27272728,
        0.11452001,
        0.16000514,
        0.6232486,
        0.7160913,
    ],
    "Ftrl, shrinkage": [
        -0.5951142,
        -0.28033224,
        -0.38215113,
        -0.13913952,
        -0.010080922,
        0.002729154,
        0.09090909,
        0.27272728,
        0.107803494,
        0.14154728,
        0.62695986,
        0.72036004,
    ],
    "ProximalGradientDescent": [
        -0.4223398,
        -0.49463102,
        -0.18521154,
        -0.23971072,
        -0.13002685,
        -0.033025134,
        0.09090909,
        0.27272728,
        0.16676562,
        0.37333304,
        0.4571933,
        0.7572816,
    ],
    "ProximalGradientDescent, plain": [
        -0.51199996,
        -0.59645456,
        -0.2290909,
        -0.2909091,
        -0.17454545,
        -0.07363637,
        0.09090909,
        0.27272728,
        0.23272729,
        0.4639091,
        0.49090907,
        0.8,
    ],
    "ProximalAdagrad": [
        -0.7318924,
        -0.50913864,
        -0.44987318,
        -0.24905851,
        -0.073214464,
        -0.0,
        0.09090909,
        0.27272728,
        0.18951571,
        0.32988742,
        0.7061199,
        0.87833637,
    ],
    "ProximalAdagrad, plain": [
        -0.7822992,
        -0.61096317,
        -0.47291446,
        -0.30018693,
        -0.13535544,
        -0.044394236,
        0.09090909,
        0.27272728,
        0.2555068,
        0.43818712,
        0.7186454,
        0.90122706,
    ],
}


def started() -> tf.Session:
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    return session


def model(unknown: bool = False) -> tuple[tf.Variable, tf.Tensor, tf.Tensor]:
    """A table, the rows that are looked up, and a loss."""
    table = tf.Variable(START, name="E")
    ids = tf.placeholder(tf.int32, None if unknown else [None])
    return table, ids, tf.reduce_sum(tf.square(tf.nn.embedding_lookup(table, ids)) * [[1.0, 0.5]])


# ---------------------------------------------------------------- what gradients give
def test_a_table_that_is_only_looked_up_in() -> None:
    table, ids, loss = model()
    (g,) = tf.gradients(loss, [table])
    assert isinstance(g, tf.IndexedSlices) and not isinstance(g, tf.Tensor)
    assert g.indices is ids and g.dtype is tf.float32 and g.shape.as_list() == [6, 2] and g.values.shape.as_list() == [None, 2]
    with started() as session:
        found, (again, rows) = session.run([g, {"a": [g.values]}["a"] + [g.indices]], {ids: [1, 4, 1]})
        assert isinstance(found, tf.IndexedSlicesValue)
        np.testing.assert_allclose(found.values, START[[1, 4, 1]] * [2, 1], rtol=1e-6)
        assert found.indices.tolist() == [1, 4, 1] and found.dense_shape.tolist() == [6, 2] and rows.tolist() == [1, 4, 1]
        np.testing.assert_array_equal(found.values, again)
        dense = session.run(tf.convert_to_tensor(g), {ids: [1, 4, 1]})
        wanted = np.zeros_like(START)
        np.add.at(wanted, [1, 4, 1], found.values)
        np.testing.assert_allclose(dense, wanted)
        np.testing.assert_allclose(session.run(2.0 * g, {ids: [1, 4, 1]}), 2 * wanted)
        np.testing.assert_allclose(g.eval({ids: [1, 4, 1]}), wanted)


def test_of_whatever_rank() -> None:
    table = tf.Variable(START)
    single, several = tf.placeholder(tf.int64, []), tf.placeholder(tf.int32, [None, 2])
    a = tf.reduce_sum(tf.gather(tf.identity(table), several)) + 3 * tf.reduce_sum(tf.gather(table, single))
    (g,) = tf.gradients(a, [table])
    with started() as session:
        found = session.run(g, {single: 5, several: [[1, 2], [0, 1]]})
    assert found.indices.tolist() == [1, 2, 0, 1, 5] and found.indices.dtype == np.int64
    assert found.values.tolist() == [[1, 1]] * 4 + [[3, 3]]


def test_what_is_used_in_another_way_too_is_dense() -> None:
    table = tf.Variable(START)
    looked = tf.reduce_sum(tf.gather(table, [1, 1]))
    for loss, sparse in (
        (looked, True),
        (looked + tf.reduce_sum(tf.cast(tf.shape(table), tf.float32)), True),
        (looked + tf.reduce_sum(tf.stop_gradient(table)), True),
        (looked + tf.nn.l2_loss(table), False),
        (looked + tf.reduce_sum(tf.gather(table, [1], axis=1)), False),
        (tf.reduce_sum(tf.gather(table * 2.0, [1])), False),
    ):
        assert isinstance(tf.gradients(loss, [table])[0], tf.IndexedSlices) == sparse
    assert isinstance(tf.gradients([looked, table], [table])[0], tf.Tensor)
    inner = tf.gather(table, [0])
    assert tf.gradients(tf.reduce_sum(inner), [table], stop_gradients=[inner]) == [None]
    with started() as session:
        (g,) = tf.gradients(looked + tf.nn.l2_loss(table), [table])
        np.testing.assert_allclose(session.run(g), START + [[0], [2], [0], [0], [0], [0]], rtol=1e-6)


def test_unconnected_gradients() -> None:
    table, ids, loss = model()
    other = tf.Variable([1.0, 2.0])
    assert tf.gradients(loss, [other]) == [None]
    (g,) = tf.gradients(loss, [other], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    (h,) = tf.gradients(loss, [other], unconnected_gradients="zero", gate_gradients=True, aggregation_method=2)
    with started() as session:
        assert [x.tolist() for x in session.run([g, h])] == [[0, 0], [0, 0]]


def test_beside_other_variables() -> None:
    table, ids, loss = model()
    w = tf.Variable(2.0)
    dw, de = tf.gradients(loss * w, [w, table])
    with started() as session:
        a, b = session.run([dw, de], {ids: [3, 3]})
    assert a == pytest.approx(2 * (START[3] ** 2 * [1, 0.5]).sum())
    np.testing.assert_allclose(b.values, 2 * START[[3, 3]] * [2, 1], rtol=1e-6)


def test_derivatives_of_derivatives() -> None:
    table, ids, _ = model()
    loss = tf.reduce_sum(tf.gather(table, ids) ** 3)
    (g,) = tf.gradients(loss, [table])
    (h,) = tf.gradients(tf.reduce_sum(g * g), [table])
    with started() as session:
        found = session.run(tf.convert_to_tensor(h), {ids: [1, 1, 4]})
    count = np.array([0, 2, 0, 0, 1, 0])[:, None]
    np.testing.assert_allclose(found, 36 * count**2 * START**3, rtol=1e-5)


def test_made_by_hand() -> None:
    g = tf.IndexedSlices(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([2, 2]), tf.constant([3, 2]))
    free = tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]))
    assert "IndexedSlices(indices=" in repr(g) and free.dense_shape is None and free.shape.ndims is None
    with pytest.raises(ValueError, match="without dense_shape"):
        tf.convert_to_tensor(free)
    with pytest.raises(TypeError, match="'indices' has DataType float32"):
        tf.IndexedSlices([1.0], [0.5])
    with tf.Session() as session:
        assert session.run(tf.convert_to_tensor(g)).tolist() == [[0, 0], [0, 0], [4, 6]]
        assert session.run(free.values).tolist() == [1]
        v = tf.Variable(np.zeros((3, 2), np.float32))
        step = T.MomentumOptimizer(1.0, 0.5).apply_gradients([(g, v)])
        session.run(tf.global_variables_initializer())
        session.run(step)
        assert session.run(v).tolist() == [[0, 0], [0, 0], [-4, -6]]


def test_clipping_keeps_rows() -> None:
    """Norms are of the values as they are, as in TensorFlow: rows that come again are not added up before."""
    g = tf.IndexedSlices(tf.constant([[3.0, 0.0], [0.0, 4.0]]), tf.constant([2, 2]), tf.constant([3, 2]))
    (a, b), norm = tf.clip_by_global_norm([g, tf.constant([12.0])], 6.5)
    c, d = tf.clip_by_norm(g, 1.0), tf.clip_by_value(g, 1.0, 2.0)
    assert all(isinstance(x, tf.IndexedSlices) and x.indices is g.indices for x in (a, c, d))
    with tf.Session() as session:
        values = session.run([a.values, b, norm, c.values, d.values])
    wanted = [[[1.5, 0], [0, 2]], [6.0], 13, [[0.6, 0], [0, 0.8]], [[2, 1], [1, 2]]]
    for v, w in zip(values, wanted, strict=True):
        np.testing.assert_allclose(v, w, rtol=1e-6)


# ---------------------------------------------------------------- steps
@pytest.mark.parametrize(
    ("name", "how"),
    [
        *((n, "steps") for n in OPTIMIZERS),
        *((n, h) for n in ("GradientDescent", "Momentum", "Adam", "Ftrl") for h in ("unknown rank", "clipped")),
    ],
)
def test_rows_as_tensorflow_changes_them(name: str, how: str) -> None:
    counter = T.get_or_create_global_step()
    table, ids, loss = model(how == "unknown rank")
    optimizer = OPTIMIZERS[name](counter)
    pairs = optimizer.compute_gradients(loss)
    if how == "clipped":
        (clipped,), _ = tf.clip_by_global_norm([pairs[0][0]], 1e6)
        pairs = [(clipped, table)]
    step = optimizer.apply_gradients(pairs, counter)
    with started() as session:
        for used in LOOKUPS:
            session.run(step, {ids: used})
        np.testing.assert_allclose(session.run(table).ravel(), SPARSE[name], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["Momentum", "RMSProp, centered", "Adadelta", "Ftrl"])
def test_rows_that_are_not_used_keep_their_bits(name: str) -> None:
    table, ids, loss = model()
    optimizer = OPTIMIZERS[name](T.get_or_create_global_step())
    step = optimizer.minimize(loss)
    held = [table, *(optimizer.get_slot(table, s) for s in optimizer.get_slot_names())]
    with started() as session:
        session.run(step, {ids: [0, 3, 3]})
        before = [a.copy() for a in session.run(held)]
        session.run(step, {ids: [2, 5, 2]})
        for a, b in zip(before, session.run(held), strict=True):
            np.testing.assert_array_equal(a[[0, 1, 3, 4]], b[[0, 1, 3, 4]])
            assert (a[2] != b[2]).any()


def test_names() -> None:
    table, _, loss = model()
    T.MomentumOptimizer(0.1, 0.9).minimize(loss)
    names = [op.name for op in tf.get_default_graph().get_operations()]
    assert {"Momentum/update_E/SparseApplyMomentum", "E/Momentum/Initializer/zeros"} <= set(names)


@pytest.mark.parametrize("name", ["GradientDescent", "Momentum", "Adagrad"])
def test_no_pass_over_the_table(name: str) -> None:
    """Of the arrays of the compiled step, only the states are as long as the table, and they change in place."""
    table = tf.Variable(tf.zeros([54321, 4]))
    ids = tf.placeholder(tf.int32, [None])
    loss = tf.reduce_sum(tf.square(tf.gather(table, ids) - 1.0))
    optimizer = OPTIMIZERS[name](None)
    step = optimizer.minimize(loss)
    with started() as session:
        made = session.compiled([step, loss], [ids])
        rows = [line for line in made.source.splitlines() if line[:1] == "#" and "[54321 * 4]" in line]
        assert all(": state " in line for line in rows) and len(rows) == 1 + len(optimizer.get_slot_names())
        assert "copy_rows" not in made.source and made.explain().count("updated in place") == len(rows)


@pytest.mark.parametrize("name", ["GradientDescent", "Momentum", "Adam"])
def test_a_loop_of_mini_batches_is_the_same_steps(name: str) -> None:
    n, steps, batches = 300, 25, tf.Minibatch(32, seed=3)
    words = tf.placeholder(tf.int32, [None, 3])
    y = tf.placeholder(tf.float32, [None])
    table = tf.Variable(rng.standard_normal((40, 5)).astype(np.float32))
    w = tf.Variable(rng.standard_normal((5, 1)).astype(np.float32))
    out = tf.matmul(tf.reduce_mean(tf.nn.embedding_lookup(table, words), 1), w)
    step = OPTIMIZERS[name](T.get_or_create_global_step()).minimize(tf.reduce_mean(tf.square(out[:, 0] - y)))
    feeds = {words: rng.integers(0, 40, (n, 3)), y: rng.standard_normal(n).astype(np.float32)}
    found = []
    for looped in (True, False):
        with started() as session:
            if looped:
                session.run_loop(step, steps, feeds, minibatch=batches)
            else:
                for rows in batches.rows(n, steps):
                    session.run(step, {t: np.asarray(x)[rows] for t, x in feeds.items()})
            found.append(session.run([table, w]))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_wrong_number_changes_nothing() -> None:
    table, ids, loss = model()
    step = T.AdagradOptimizer(0.1).minimize(loss)
    with started() as session:
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1\] = 6 is not in \[0, 6\)"):
            session.run(step, {ids: [0, 6]})
        np.testing.assert_array_equal(session.run(table), START)


def test_a_stored_graph_goes_on(tmp_path: Path) -> None:
    table, ids, loss = model()
    ids = tf.identity(ids, name="ids")
    step = T.MomentumOptimizer(0.1, 0.9).minimize(loss, name="train")
    with started() as session:
        session.run(step, {ids.op.inputs[0]: [1, 1]})
        path = T.Saver().save(session, str(tmp_path / "model"))
        session.run(step, {ids.op.inputs[0]: [1, 2]})
        wanted = session.run(table)
    tf.reset_default_graph()
    saver = T.import_meta_graph(path + ".meta")
    graph = tf.get_default_graph()
    with tf.Session() as session:
        saver.restore(session, path)
        session.run("train", {graph.get_operation_by_name("ids").inputs[0]: [1, 2]})
        np.testing.assert_array_equal(session.run("E:0"), wanted)


# ---------------------------------------------------------------- variables written by rows
def test_writing_rows() -> None:
    v = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3))
    i, u = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.float32, [None, 3])
    put, add, sub = (f(v, i, u) for f in (tf.scatter_update, tf.scatter_add, tf.scatter_sub))
    feeds = {i: [1, 3, 1], u: [[1, 1, 1], [2, 2, 2], [3, 3, 3]]}
    rest = [[0, 1, 2], [6, 7, 8]]
    with started() as session:
        for op, once, twice in ((put, 3, 2), (add, 7, 4), (sub, 3, 2)):
            wanted = [rest[0], [once] * 3, rest[1], [twice] * 3]
            assert session.run(op, feeds).tolist() == wanted and session.run(v).tolist() == wanted
        assert "copy_rows" not in session.compiled(put, [i, u]).source
        assert session.run(tf.scatter_update(v, [[0, 1], [2, 2]], 7.0)).tolist() == [[7] * 3] * 3 + [[2] * 3]


def test_writing_elements() -> None:
    v, flags = tf.Variable(np.zeros((2, 3), np.int32)), tf.Variable([False, False, True])
    with started() as session:
        assert session.run(tf.scatter_nd_update(v, [[1, 2], [0, 0]], [5, 6])).tolist() == [[6, 0, 0], [0, 0, 5]]
        assert session.run(tf.scatter_nd_add(v, [[1], [1]], [[1, 1, 1], [2, 2, 2]])).tolist() == [[6, 0, 0], [3, 3, 8]]
        assert session.run(tf.scatter_nd_sub(v, [[0, 0]], [1])).tolist() == [[5, 0, 0], [3, 3, 8]]
        assert session.run(tf.scatter_update(flags, [0, 2], [True, False])).tolist() == [True, False, False]


def test_writing_mistakes() -> None:
    v = tf.Variable(np.zeros((4, 3), np.float32))
    with pytest.raises(ValueError, match=r"indices\[1\] = 4 is not in"):
        tf.scatter_update(v, [0, 4], tf.zeros([2, 3]))
    with pytest.raises(ValueError, match="Dimension 1 in both shapes must be equal, but are 3 and 2"):
        tf.scatter_add(v, [0, 1], tf.zeros([2, 2]))
    with pytest.raises(TypeError, match="a tf.Variable is needed to write to"):
        tf.scatter_add(tf.zeros([3]), [0], [1.0])
    with pytest.raises(TypeError, match="'indices' has DataType float32"):
        tf.scatter_sub(v, [0.5], tf.zeros([1, 3]))
    with pytest.raises(ValueError, match="do not number the elements"):
        tf.scatter_nd_update(v, [[0, 0, 0]], [1.0])
    with pytest.raises(AttributeError, match="tf.scatter_mul is not part of symgraph: rows in place: tf.scatter_update of what tf.gather"):
        tf.scatter_mul  # noqa: B018
