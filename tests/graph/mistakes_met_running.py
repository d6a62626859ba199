"""Mistakes met when something is looked up, fed, fetched or run; the rows are those of mistakes.py."""

from __future__ import annotations

from symgraph.errors import FailedPreconditionError, InvalidArgumentError
from tests.graph.mistakes import build, look, run

LOOKUPS = (
    look(
        "tensor_by_op_name",
        "tf.zeros([2], name='x')\ntf.get_default_graph().get_tensor_by_name('x')",
        ValueError,
        "The name 'x' refers to an Operation, not a Tensor. Tensor names must be of the form \"<op_name>:<output_index>\".",
    ),
    look(
        "tensor_unknown", "tf.get_default_graph().get_tensor_by_name('y:0')", KeyError, "The operation, 'y', does not exist in the graph."
    ),
    look(
        "tensor_output",
        "tf.zeros([2], name='x')\ntf.get_default_graph().get_tensor_by_name('x:1')",
        KeyError,
        "exists but only has 1 outputs.",
    ),
    look("tensor_by_number", "tf.get_default_graph().get_tensor_by_name(3)", TypeError, "Tensor names are strings (or similar), not int."),
    look(
        "operation_by_tensor_name",
        "tf.get_default_graph().get_operation_by_name('x:0')",
        ValueError,
        "Name 'x:0' appears to refer to a Tensor, not a Operation.",
    ),
    look(
        "operation_unknown",
        "tf.get_default_graph().get_operation_by_name('y')",
        KeyError,
        "The name 'y' refers to an Operation not in the graph.",
    ),
    look(
        "with_twice", "s = tf.Session()\nwith s:\n    with s:\n        pass", RuntimeError, "Session context managers are not re-entrant."
    ),
    look(
        "reset_in_session",
        "with tf.Session():\n    tf.reset_default_graph()",
        AssertionError,
        "Do not use tf.reset_default_graph() to clear nested graphs.",
    ),
    look(
        "reset_in_graph",
        "with tf.Graph().as_default():\n    tf.reset_default_graph()",
        AssertionError,
        "Do not use tf.reset_default_graph() to clear nested graphs.",
    ),
    run(
        "finalized",
        "g = tf.Graph()\ng.finalize()\nwith g.as_default():\n    tf.zeros([2])  #: a",
        RuntimeError,
        "Graph is finalized and cannot be modified.",
        "{a}",
    ),
    look("session_of_nothing", "tf.Session(graph=3)", TypeError, "graph must be a tf.Graph"),
    look("known_size", "p = tf.placeholder(tf.float32, [None])\nint(p.shape[0])", TypeError, "__int__ returned non-int (type NoneType)"),
    look(
        "known_rank",
        "p = tf.placeholder(tf.float32)\np.get_shape().as_list()",
        ValueError,
        "as_list() is not defined on an unknown TensorShape.",
    ),
    look("formula_of_unknown_rank", "p = tf.placeholder(tf.float32, name='p')\ny = p * 2.0\ntf.formula(y)", ValueError, "'mul'", "rank"),
)

START = 'X = tf.placeholder(tf.float32, [None, 3], name="X")  #: x\ny = X * 2.0\nsess = tf.Session()\n'

RUNS = (
    run(
        "no_feed",
        START + "sess.run(y)",
        InvalidArgumentError,
        "You must feed a value for placeholder tensor 'X' with dtype float and shape [?,3]",
        "Placeholder 'X' made at {x}",
    ),
    run(
        "fed_shape",
        START + "sess.run(y, {X: [1.0, 2.0, 3.0]})",
        ValueError,
        "Cannot feed value of shape (3,) for Tensor 'X:0', which has shape '(?, 3)'",
        "'X' (?, 3) float32 made at {x}",
    ),
    run(
        "fed_columns",
        START + "sess.run(y, {X: np.ones((5, 4))})",
        ValueError,
        "Cannot feed value of shape (5, 4) for Tensor 'X:0', which has shape '(?, 3)'",
    ),
    run(
        "fed_to_computed",
        START + "sess.run(y * 1.0, {y: np.ones((5, 4))})",
        ValueError,
        "Cannot feed value of shape (5, 4) for Tensor 'mul:0'",
    ),
    run(
        "fed_tensor",
        START + "t = tf.zeros([1, 3])  #: a\nsess.run(y, {X: t})",
        TypeError,
        "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, strings, lists, numpy ndarrays",
        "'zeros' (1, 3) float32 made at {a}",
    ),
    run("fed_list_of_tensors", START + "t = tf.zeros([3])\nsess.run(y, {X: [t]})", TypeError, "Cannot feed", "'X:0'"),
    run("fed_words", START + "sess.run(y, {X: 'abc'})", ValueError, "Cannot feed 'abc' for Tensor 'X:0' of dtype float32"),
    run("fed_none", START + "sess.run(y, {X: None})", TypeError, "Cannot feed None for Tensor 'X:0'"),
    run("fed_ragged", START + "sess.run(y, {X: [[1, 2, 3], [4]]})", ValueError, "Cannot feed [[1, 2, 3], [4]] for Tensor 'X:0'"),
    run(
        "fed_key",
        START + "sess.run(y, {'Z:0': 1.0})",
        TypeError,
        "Cannot interpret feed_dict key as Tensor: The name 'Z:0' refers to a Tensor which does not",
    ),
    run("fed_number", START + "sess.run(y, {3: 1.0})", TypeError, "Cannot interpret feed_dict key as Tensor: Can not convert a int"),
    run("fed_operation", START + "sess.run(y, {X.op: 1.0})", TypeError, "Cannot interpret feed_dict key as Tensor"),
    run(
        "fed_foreign",
        "with tf.Graph().as_default():\n    a = tf.constant(1.0, name='a')\n" + START + "sess.run(y, {a: 1.0})",
        TypeError,
        'Cannot interpret feed_dict key as Tensor: Tensor Tensor("a:0", shape=(), dtype=float32) is not an element of this graph.',
    ),
    run("fed_list", START + "sess.run(y, [X])", TypeError, "feed_dict must be a dictionary"),
    run(
        "fetch_none",
        START + "sess.run(None)",
        TypeError,
        "Fetch argument None has invalid type <class 'NoneType'>, must be a string or Tensor.",
    ),
    run(
        "fetch_number",
        START + "sess.run([y, 3.0])",
        TypeError,
        "Fetch argument 3.0 has invalid type <class 'float'>, must be a string or Tensor.",
    ),
    run(
        "fetch_name",
        START + "sess.run('nope:0')",
        ValueError,
        "Fetch argument 'nope:0' cannot be interpreted as a Tensor.",
        "'nope', does not exist",
    ),
    run(
        "fetch_operation_name",
        START + "sess.run('nope')",
        ValueError,
        "cannot be interpreted as a Tensor.",
        "refers to an Operation not in the graph.",
    ),
    run(
        "fetch_foreign",
        "with tf.Graph().as_default():\n    a = tf.constant(1.0, name='a')\n" + START + "sess.run(a)",
        ValueError,
        'Tensor Tensor("a:0", shape=(), dtype=float32) is not an element of this graph.',
    ),
    run("fetch_after_reset", START + "tf.reset_default_graph()\ntf.Session().run(y)", ValueError, "is not an element of this graph."),
    run(
        "uninitialized",
        "v = tf.Variable(1.0, name='v')  #: a\nsess = tf.Session()\nsess.run(v * 2.0)",
        FailedPreconditionError,
        "Attempting to use uninitialized value v",
        "VariableV2 'v' made at {a}: run its initializer",
    ),
    run(
        "uninitialized_in_a_new_session",
        "v = tf.Variable(1.0, name='v')\ninit = tf.global_variables_initializer()\ntf.Session().run(init)\ntf.Session().run(v)",
        FailedPreconditionError,
        "Attempting to use uninitialized value v",
    ),
    run(
        "initializer_reads_another",
        "a = tf.Variable(1.0, name='a')\nb = tf.Variable(a * 2.0, name='b')\ntf.Session().run(b.initializer)",
        FailedPreconditionError,
        "Attempting to use uninitialized value a",
    ),
    run("closed", START + "sess.close()\nsess.run(y, {X: np.ones((1, 3))})", RuntimeError, "Attempted to use a closed Session."),
    run(
        "closed_after_use",
        START + "c = tf.constant(1.0)\nsess.run(c)\nsess.close()\nsess.run(c)",
        RuntimeError,
        "Attempted to use a closed Session.",
    ),
    run(
        "no_session",
        "x = tf.zeros([2])\nx.eval()",
        ValueError,
        "Cannot evaluate tensor using `eval()`: No default session is registered. Use `with sess.as_default()` or pass an explicit "
        "session to `eval(session=sess)`",
    ),
    run(
        "no_session_for_operation",
        "op = tf.no_op()\nop.run()",
        ValueError,
        "Cannot execute operation using `run()`: No default session is registered.",
    ),
    run(
        "session_of_another_graph",
        "x = tf.zeros([2])\nx.eval(session=tf.Session(graph=tf.Graph()))",
        ValueError,
        "Cannot use the given session to evaluate tensor: the tensor's graph is different from the session's graph.",
    ),
    run(
        "singular",
        "m = tf.zeros([2, 2])\nx = tf.matrix_inverse(m, name='inv')  #: a\ntf.Session().run(x)",
        InvalidArgumentError,
        "Input is not invertible.",
        "MatrixInverse 'inv' made at {a}",
        "the matrix is singular",
    ),
    run(
        "singular_system",
        "m = tf.zeros([2, 2])\nx = tf.matrix_solve(m, m)  #: a\ntf.Session().run(x)",
        InvalidArgumentError,
        "Input matrix is not invertible.",
        "MatrixSolve 'MatrixSolve' made at {a}",
    ),
    run(
        "not_positive",
        "m = tf.constant([[1.0, 2.0], [2.0, 1.0]])\nx = tf.cholesky(m)  #: a\ntf.Session().run(x)",
        InvalidArgumentError,
        "Cholesky decomposition was not successful. The input might not be valid.",
        "Cholesky 'Cholesky' made at {a}: the matrix is not positive definite",
    ),
    run(
        "sizes",
        """
a = tf.placeholder(tf.float32, [None], name="a")
b = tf.placeholder(tf.float32, [None], name="b")
c = a + b  #: c
tf.Session().run(c, {a: np.ones(3), b: np.ones(4)})
""",
        InvalidArgumentError,
        "Incompatible shapes: 3 vs. 4",
        "Add 'add' made at {c}: a.shape[0] and b.shape[0] must be equal",
    ),
    run(
        "sizes_of_a_product",
        """
a = tf.placeholder(tf.float32, [None, None], name="a")
w = tf.Variable(np.ones((4, 2), np.float32))
c = tf.matmul(a, w)  #: c
sess = tf.Session()
sess.run(w.initializer)
sess.run(c, {a: np.ones((3, 5))})
""",
        InvalidArgumentError,
        "MatMul 'MatMul' made at {c}",
        "a.shape[1]",
        "4",
        "5",
    ),
    run(
        "rank_found_when_fed",
        """
p = tf.placeholder(tf.float32, name="p")  #: a
y = tf.matmul(p, np.ones((3, 1)))  #: b
tf.Session().run(y, {p: np.ones(3)})
""",
        InvalidArgumentError,
        "Shape must be rank 2 but is rank 1",
        "MatMul 'MatMul' made at {b}",
        "with input shapes: [?], [3,1].",
        "'p' <unknown> float32 made at {a}",
    ),
    run(
        "shape_by_variable",
        "n = tf.Variable([2, 3], name='n')  #: a\nz = tf.zeros(n)\nsess = tf.Session()\nsess.run(n.initializer)\nsess.run(z)",
        InvalidArgumentError,
        "A shape depends on the value of 'n', which is not fed",
        "made at {a}",
    ),
    run(
        "shape_by_placeholder",
        "n = tf.placeholder(tf.int32, [2], name='n')  #: a\nz = tf.ones(n)\ntf.Session().run(z)",
        InvalidArgumentError,
        "You must feed a value for placeholder tensor 'n' with dtype int32 and shape [2]",
    ),
    run(
        "reshape_found_when_fed",
        "p = tf.placeholder(tf.float32, [None], name='p')\ny = tf.reshape(p, [2, 3])  #: a\ntf.Session().run(y, {p: np.ones(5)})",
        InvalidArgumentError,
        "Reshape 'Reshape' made at {a}",
        "5",
        "6",
    ),
    run(
        "function_arguments",
        "x = tf.placeholder(tf.float32, [None], name='x')\nf = tf.function([x], x * 2.0)\nf(1.0, 2.0)",
        TypeError,
        "this function takes 1 arrays (x), 2 were given",
    ),
    run(
        "function_shape",
        "x = tf.placeholder(tf.float32, [None], name='x')\nf = tf.function([x], x * 2.0)\nf(np.ones((2, 2)))",
        ValueError,
        "Cannot feed value of shape (2, 2) for Tensor 'x:0', which has shape '(?,)'",
    ),
    build(
        "function_feeds",
        "x = tf.placeholder(tf.float32, [None], name='x')  #: a\ny = x * 2.0\ntf.function([], y)",
        InvalidArgumentError,
        "You must feed a value for placeholder tensor 'x'",
        "made at {a}",
    ),
    build(
        "function_update",
        "v = tf.Variable([1.0, 2.0], name='v')\ntf.function([], [], updates=[(v, [1.0])])",
        ValueError,
        "'v' (2,) float32",
        "(1,)",
    ),
)
