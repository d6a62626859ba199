"""Mistakes in building a graph: small programs, and what their makers must be told.

Law of this file: a comment `#: a` marks a line that the message must name as `train.py:N`, written {a} in the row; the
line of the faulty statement, the last one, is always asked for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """`says` are texts that the message holds; `line`: the message (not only the traceback) names the faulty line;
    `clean`: the graph is as it was before the faulty statement."""

    name: str
    program: str
    kind: type[Exception]
    says: tuple[str, ...]
    line: bool = True
    clean: bool = True


def build(name: str, program: str, kind: type[Exception], *says: str) -> Mistake:
    return Mistake(name, program, kind, says)


def run(name: str, program: str, kind: type[Exception], *says: str) -> Mistake:
    return Mistake(name, program, kind, says, clean=False)


def look(name: str, program: str, kind: type[Exception], *says: str) -> Mistake:
    return Mistake(name, program, kind, says, line=False, clean=False)


SHAPES = (
    build(
        "matmul_shapes",
        """
X = tf.placeholder(tf.float32, (None, 9), name="X")  #: a
theta = tf.Variable(np.ones((8, 1), np.float32), name="theta")  #: b
tf.matmul(X, theta, name="dense/MatMul")  #: c
""",
        ValueError,
        "Dimensions must be equal, but are 9 and 8 for 'dense/MatMul' (op: 'MatMul') with input shapes: [?,9], [8,1].",
        "MatMul 'dense/MatMul' made at {c}: left has 9 columns, right has 8 rows",
        "left 'X' (?, 9) float32 made at {a}",
        "right 'theta' (8, 1) float32 made at {b}",
    ),
    build(
        "matmul_transposed",
        "a = tf.zeros((2, 3))\nb = tf.zeros((2, 4))\ntf.matmul(a, b, transpose_b=True, name='product')",
        ValueError,
        "Dimensions must be equal, but are 3 and 4 for 'product'",
        "(2, 3)",
        "(2, 4)",
    ),
    build(
        "matmul_rank",
        "a = tf.zeros([3])  #: a\nb = tf.zeros([3, 2])\na @ b",
        ValueError,
        "Shape must be rank 2 but is rank 1 for 'matmul' (op: 'MatMul') with input shapes: [3], [3,2].",
        "left 'zeros' (3,) float32 made at {a}",
    ),
    build(
        "add_shapes",
        "a = tf.zeros([3], name='a')  #: a\nb = tf.zeros([4], name='b')  #: b\na + b",
        ValueError,
        "Dimensions must be equal, but are 3 and 4 for 'add' (op: 'Add') with input shapes: [3], [4].",
        "x 'a' (3,) float32 made at {a}",
        "y 'b' (4,) float32 made at {b}",
    ),
    build(
        "add_array",
        "a = tf.zeros([2, 3])\na * np.ones(2)",
        ValueError,
        "Dimensions must be equal, but are 3 and 2 for 'mul' (op: 'Mul') with input shapes: [2,3], [2].",
    ),
    build(
        "add_n",
        "a = tf.zeros([2, 3])\nb = tf.zeros([2, 4])\ntf.add_n([a, b])",
        ValueError,
        "Dimension 1 in both shapes must be equal, but are 3 and 4. Shapes are [2,3] and [2,4].",
    ),
    build("add_n_of_none", "tf.add_n([])", ValueError, "inputs must be an iterable of at least one Tensor"),
    build(
        "where",
        "a = tf.zeros([2, 3])\nc = tf.zeros([2, 4]) > 0.0\ntf.where(c, a, a)",
        ValueError,
        "Dimensions must be equal, but are 4 and 3 for 'Select'",
    ),
    build(
        "axis",
        "x = tf.zeros([2, 3], name='x')  #: a\ntf.reduce_sum(x, axis=2)",
        ValueError,
        "Invalid reduction dimension 2 for input with 2 dimensions for 'Sum' (op: 'Sum') with input shapes: [2,3].",
        "axes are -2 to 1",
        "'x' (2, 3) float32 made at {a}",
    ),
    build(
        "axis_of_scalar",
        "x = tf.constant(1.0)\ntf.reduce_max(x, axis=0)",
        ValueError,
        "Invalid reduction dimension 0 for input with 0 dimensions",
    ),
    build("axis_twice", "x = tf.zeros([2, 3])\ntf.reduce_sum(x, [0, -2])", ValueError, "for 'Sum' (op: 'Sum')", "(2, 3)"),
    build("axis_is_no_int", "x = tf.zeros([2, 3])\ntf.reduce_mean(x, axis=1.5)", TypeError, "axis must be an int", "1.5"),
    build(
        "axis_is_a_tensor",
        "x = tf.zeros([2, 3])\na = tf.constant(0)  #: a\ntf.reduce_sum(x, axis=a)",
        TypeError,
        "axis must be Python ints, not a tensor",
        "axis 'Const' () int32 made at {a}",
    ),
    build(
        "axis_by_two_names",
        "x = tf.zeros([2, 3])\ntf.reduce_sum(x, axis=0, reduction_indices=0)",
        ValueError,
        "Cannot specify both 'axis' and 'reduction_indices'.",
    ),
    build(
        "argmax_by_two_names",
        "x = tf.zeros([2, 3])\ntf.argmax(x, 0, dimension=0)",
        ValueError,
        "Cannot specify both 'axis' and 'dimension'.",
    ),
    build(
        "expand_dims_nowhere", "x = tf.zeros([2, 3])\ntf.expand_dims(x)", ValueError, "Must specify an axis argument to tf.expand_dims()"
    ),
    build("squeeze_axis", "x = tf.zeros([1, 3])\ntf.squeeze(x, 0.5)", TypeError, "axis must be an int"),
    build(
        "norm_of_a_matrix",
        "m = tf.zeros([2, 3])  #: a\ntf.norm(m, ord=1, axis=[0, 1])",
        ValueError,
        "'ord' must be 'euclidean' or 'fro' for a matrix norm over two axes, got 1",
        "'zeros' (2, 3) float32 made at {a}",
    ),
    build("norm_ord", "m = tf.zeros([2, 3])\ntf.norm(m, ord='nuclear')", ValueError, "'ord' must be a supported norm", "'nuclear'"),
    build(
        "where_by_half",
        "c = tf.zeros([2]) > 0.0  #: a\ntf.where(c, c)",
        ValueError,
        "x and y must both be non-None or both be None.",
        "made at {a}",
    ),
    build("argmax_axis", "x = tf.zeros([2, 3])\ntf.argmax(x, 5)", ValueError, "Invalid reduction dimension 5 for input with 2 dimensions"),
    build("argmax_of_nothing", "x = tf.zeros([0, 3])\ntf.argmax(x, 0)", ValueError, "Reduction axis 0 is empty in shape [0,3]"),
    build(
        "reshape_count",
        "x = tf.zeros([2, 3])\ntf.reshape(x, [4, 2])",
        ValueError,
        "Cannot reshape a tensor with 6 elements to shape [4,2] (8 elements) for 'Reshape'",
    ),
    build(
        "reshape_rest",
        "x = tf.zeros([2, 3])\ntf.reshape(x, [-1, 4])",
        ValueError,
        "Dimension size must be evenly divisible by 4 but is 6",
        "[2,3]",
    ),
    build("reshape_two_wild", "x = tf.zeros([2, 3])\ntf.reshape(x, [-1, -1])", ValueError, "Only one input size may be -1, not both"),
    build("reshape_negative", "x = tf.zeros([2, 3])\ntf.reshape(x, [-2, 3])", ValueError, "Size -2 must be non-negative"),
    build("reshape_to_words", "x = tf.zeros([2, 3])\ntf.reshape(x, 'abc')", TypeError, "Reshape 'Reshape' made at", "'abc'"),
    build(
        "concat_rank",
        "a = tf.zeros([2, 3])  #: a\nb = tf.zeros([3])  #: b\ntf.concat([a, b], 0)",
        ValueError,
        "Shapes must be equal rank, but are 2 and 1",
        "'zeros' (2, 3) float32 made at {a}",
        "'zeros_1' (3,) float32 made at {b}",
    ),
    build(
        "concat_shape",
        "a = tf.zeros([2, 3])\nb = tf.zeros([2, 4])\ntf.concat([a, b], axis=0)",
        ValueError,
        "Dimension 1 in both shapes must be equal, but are 3 and 4. Shapes are [2,3] and [2,4]. for 'concat' (op: 'ConcatV2')",
    ),
    build("concat_axis", "a = tf.zeros([2, 3])\ntf.concat([a, a], 2)", ValueError, "Invalid dimension 2 for input with 2 dimensions"),
    build(
        "concat_swapped",
        "a = tf.zeros([2, 3])\ntf.concat(0, [a, a])",
        TypeError,
        "the arguments are in the wrong order: tf.concat takes the tensors first, tf.concat(values, axis)",
    ),
    build("concat_of_nothing", "tf.concat([], 0)", ValueError, "needs at least one tensor"),
    build(
        "stack",
        "a = tf.zeros([2])\nb = tf.zeros([3])\ntf.stack([a, b])",
        ValueError,
        "Dimension 0 in both shapes must be equal, but are 2 and 3",
    ),
    build(
        "unstack_unknown",
        "p = tf.placeholder(tf.float32, [None])\ntf.unstack(p)",
        ValueError,
        "Cannot infer argument `num` from shape (?,)",
    ),
    build("unstack_num", "x = tf.zeros([3])\ntf.unstack(x, num=2)", ValueError, "Dimension must be 2 but is 3"),
    build(
        "transpose_twice",
        "x = tf.zeros([2, 3])\ntf.transpose(x, [0, 0])",
        ValueError,
        "perm [0, 0] is not a permutation of the 2 axes of [2,3]",
    ),
    build("transpose_long", "x = tf.zeros([2, 3])\ntf.transpose(x, perm=[0, 1, 2])", ValueError, "perm [0, 1, 2] is not a permutation"),
    build("squeeze", "x = tf.zeros([2, 3])\ntf.squeeze(x, [0])", ValueError, "Can not squeeze dim[0], expected a dimension of 1, got 2"),
    build("expand_dims", "x = tf.zeros([2, 3])\ntf.expand_dims(x, 7)", ValueError, "Invalid dimension 7 for input with 3 dimensions"),
    build("index_past_end", "x = tf.zeros([2, 3])\nx[5]", ValueError, "slice index 5 of dimension 0 out of bounds", "its extent is 2"),
    build("index_too_many", "x = tf.zeros([2, 3])\nx[0, 0, 0]", ValueError, "Index out of range using input dim 2; input has only 2 dims"),
    build(
        "index_by_vector",
        "x = tf.zeros([2, 3])\nk = tf.constant([1, 0])\nx[k]",
        TypeError,
        "an index is one number, not a tensor of shape (2,)",
        "use tf.gather",
    ),
    build("index_by_float", "x = tf.zeros([2, 3])\nx[0.5]", TypeError, "Only integers, slices (`:`), ellipsis (`...`)", "got 0.5"),
    build("slice_past_end", "x = tf.zeros([2, 3])\ntf.slice(x, [0, 1], [2, 3])", ValueError, "begin[1]", "(2, 3)"),
    build("negative_extent", "tf.zeros([2, -1])", ValueError, "Dimension", "-1", "must be >= 0"),
    build("fill_with_many", "x = tf.zeros([3])\ntf.fill([2], x)", ValueError, "Shape must be rank 0 but is rank 1"),
    build(
        "constant_too_long", "tf.constant([1, 2, 3], shape=[2])", ValueError, "Too many elements provided. Needed at most 2, but received 3"
    ),
    build(
        "inverse",
        "x = tf.zeros([2, 3])\ntf.matrix_inverse(x)",
        ValueError,
        "Dimensions must be equal, but are 2 and 3",
        "the matrix must be square",
    ),
    build(
        "solve",
        "a = tf.zeros([2, 2])\nb = tf.zeros([3, 1])\ntf.matrix_solve(a, b)",
        ValueError,
        "Dimensions must be equal, but are [2] and [3]",
    ),
    build("range", "tf.range(0, 5, 0)", ValueError, "Requires delta != 0"),
    build(
        "assign_shape",
        "v = tf.Variable([1.0, 2.0], name='v')  #: a\nx = tf.zeros([3])\ntf.assign(v, x)",
        ValueError,
        "Dimension 0 in both shapes must be equal, but are 2 and 3. Shapes are [2] and [3]. for 'Assign' (op: 'Assign')",
        "ref 'v' (2,) float32 made at {a}",
    ),
    build(
        "unknown_rank",
        "p = tf.placeholder(tf.float32, name='p')  #: a\nw = tf.Variable(p)",
        ValueError,
        'initial_value must have a shape specified: Tensor("p:0", dtype=float32)',
        "'p' <unknown> float32 made at {a}",
    ),
    build(
        "unknown_extent",
        "p = tf.placeholder(tf.float32, [None, 2])\ntf.Variable(p)",
        ValueError,
        "initial_value must have a shape specified",
    ),
)

DTYPES = (
    build(
        "float_and_int",
        "a = tf.zeros([3], name='a')  #: a\nb = tf.zeros([3], tf.int32, name='b')  #: b\na + b",
        TypeError,
        "Input 'y' of 'Add' Op has type int32 that does not match type float32 of argument 'x'.",
        "x 'a' (3,) float32 made at {a}",
        "y 'b' (3,) int32 made at {b}",
        "tf.cast(..., tf.float32)",
    ),
    build(
        "int_and_number",
        "n = tf.constant([1, 2])  #: a\nn + 1.5",
        TypeError,
        "Expected int32, got 1.5 of type 'float'",
        "'Const' (2,) int32 made at {a}",
    ),
    build("float_and_word", "x = tf.zeros([2])\nx + 'a'", TypeError, "Expected float32, got 'a' of type 'str'"),
    build("double_array", "n = tf.constant([1, 2])\nn * np.ones(2)", TypeError, "has type float64 that does not match type int32"),
    build("none", "tf.constant(None)", ValueError, "None values not supported."),
    build("add_none", "x = tf.zeros([2])  #: a\nx + None", ValueError, "None values not supported.", "'zeros' (2,) float32 made at {a}"),
    build("matmul_none", "x = tf.zeros([2, 2])\ntf.matmul(x, None)", ValueError, "None values not supported."),
    build("ragged", "tf.constant([[1, 2], [3]])", ValueError, "Argument must be a dense tensor: [[1, 2], [3]]"),
    build("ragged_arrays", "tf.constant([np.zeros((2, 3)), np.zeros((2, 4))])", ValueError, "Argument must be a dense tensor"),
    build("float_for_int", "tf.constant(1.5, tf.int32)", TypeError, "Expected int32, got 1.5 of type 'float'"),
    build("number_too_large", "tf.constant(2**40, tf.int32)", ValueError, "1099511627776 does not fit into int32"),
    build("number_beyond_int64", "tf.constant(2**70)", ValueError, "1180591620717411303424 does not fit into int64"),
    build("numbers_beyond_int64", "tf.constant([2**63, -1])", ValueError, "[9223372036854775808, -1] does not fit into int64"),
    build("ones_of_strings", "tf.ones([1], tf.string)", TypeError, "Expected string, got 1 of type 'int'"),
    build("uniform_ints", "tf.random_uniform([2], dtype=tf.int32)", ValueError, "Must specify maxval for integer dtype tf.int32"),
    build("uniform_bounds", "tf.random_uniform([2], 5, 1, dtype=tf.int32)", ValueError, "Need minval < maxval, got 5 >= 1"),
    build("formula_of_none", "tf.formula(None)", ValueError, "None values not supported."),
    build("formula_of_an_operation", "o = tf.group(name='step')\ntf.formula(o)", TypeError, "Can't convert Operation 'step' to Tensor"),
    build("dict", "tf.constant({1: 2})", TypeError, "Failed to convert elements of {{1: 2}} to Tensor"),
    build("unknown_dtype", "tf.placeholder('float99')", TypeError, "Cannot convert value 'float99' to a TensorFlow DType"),
    build("unknown_dtype_of_cast", "x = tf.zeros([2])\ntf.cast(x, 'nope')", TypeError, "Cannot convert value 'nope' to a TensorFlow DType"),
    build(
        "sqrt_of_int",
        "n = tf.constant([1, 4])\ntf.sqrt(n)",
        TypeError,
        "Value passed to parameter 'x' has DataType int32 not in list of allowed values",
    ),
    build(
        "float_logic",
        "x = tf.zeros([2])\nx & x",
        TypeError,
        "Value passed to parameter 'x' has DataType float32 not in list of allowed values: bool",
    ),
    build("condition", "x = tf.zeros([2])\ntf.where(x, x, x)", TypeError, "Value passed to parameter 'condition' has DataType float32"),
    build(
        "inverse_of_int",
        "n = tf.ones([2, 2], tf.int32)\ntf.matrix_inverse(n)",
        TypeError,
        "Value passed to parameter 'input' has DataType int32",
    ),
    build("float_shape", "s = tf.constant([2.0])\ntf.zeros(s)", TypeError, "Value passed to parameter 'shape' has DataType float32"),
    build("requested_dtype", "x = tf.zeros([2])\ntf.convert_to_tensor(x, tf.int32)", TypeError, "Tensor conversion requested dtype int32"),
    build(
        "assign_dtype",
        "v = tf.Variable([1.0])\nn = tf.constant([1])\ntf.assign(v, n)",
        TypeError,
        "Input 'value' of 'Assign' Op has type int32 that does not match type float32 of argument 'ref'.",
    ),
    build("assign_to_tensor", "x = tf.zeros([2])  #: a\ntf.assign(x, x)", TypeError, "a tf.Variable is needed to write to", "made at {a}"),
    build("variable_of_nothing", "tf.Variable()", ValueError, "initial_value must be specified."),
)

GRAPHS = (
    build("name", "tf.zeros([2], name='a b')", ValueError, "'a b' is not a valid root scope name", "[A-Za-z0-9.]"),
    build("name_of_placeholder", "tf.placeholder(tf.float32, name='x:0')", ValueError, "'x:0' is not a valid root scope name"),
    build("name_of_variable", "tf.Variable(1.0, name='my var')", ValueError, "'my var' is not a valid root scope name"),
    build("name_underscore", "x = tf.zeros([2])\ntf.add(x, 1.0, name='_x')", ValueError, "'_x' is not a valid root scope name"),
    build("name_is_no_text", "x = tf.zeros([2])\ntf.add(x, 1.0, name=3)", TypeError, "a name must be a string, not int: 3"),
    build("name_of_scope", "with tf.name_scope('a b'):\n    pass", ValueError, "'a b' is not a valid root scope name"),
    build(
        "variable_again",
        "a = tf.get_variable('w', [2])  #: a\ntf.get_variable('w', [2])",
        ValueError,
        "Variable w already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?",
        "Originally defined at {a}",
    ),
    build(
        "variable_to_be_reused",
        "s = tf.variable_scope('s', reuse=True)\ns.__enter__()\ntf.get_variable('w', [2])",
        ValueError,
        "Variable s/w does not exist, or was not created with tf.get_variable(). Did you mean to set reuse=tf.AUTO_REUSE in VarScope?",
    ),
    build("variable_shape", "tf.get_variable('w', [None, 2])", ValueError, "Shape of a new variable (w) must be fully defined", "(?, 2)"),
    build(
        "variable_of_constant",
        "c = tf.constant([1.0, 2.0])\ntf.get_variable('w', [2], initializer=c)",
        ValueError,
        "If initializer is a constant, do not specify shape.",
    ),
    build(
        "regularizer",
        "def bad(w):\n    return w + tf.zeros([3])  #: a\ntf.get_variable('w', [2], regularizer=bad)",
        ValueError,
        "made at {a}",
    ),
    build("group", "tf.group(3)", TypeError, "Can not convert a int into a Tensor or Operation: 3"),
    build(
        "group_of_words", "x = tf.zeros([2])\ntf.group(x, 'train')", TypeError, "Can not convert a str into a Tensor or Operation: 'train'"
    ),
    build("control", "with tf.control_dependencies([3]):\n    pass", TypeError, "Can not convert a int into a Tensor or Operation: 3"),
    build(
        "other_graph",
        "with tf.Graph().as_default():\n    a = tf.zeros([2], name='a')  #: a\nb = tf.zeros([2], name='b')  #: b\nb + a",
        ValueError,
        'Tensor("a:0", shape=(2,), dtype=float32) must be from the same graph as Tensor("b:0", shape=(2,), dtype=float32).',
        "x 'b' (2,) float32 made at {b}",
        "y 'a' (2,) float32 made at {a}",
    ),
    build(
        "after_reset",
        "a = tf.Variable(1.0, name='a')  #: a\ntf.reset_default_graph()\nb = tf.Variable(1.0, name='b')\nb * a",
        ValueError,
        "must be from the same graph",
        "reset",
        "'a' () float32 made at {a}",
    ),
    build(
        "other_graph_gradients",
        "with tf.Graph().as_default():\n    a = tf.Variable(1.0)\nb = tf.Variable(2.0)\ny = b * b\ntf.gradients(y, [a])",
        ValueError,
        "must be from the same graph",
    ),
    build(
        "gradient_of_a_shuffle",
        "v = tf.Variable([1.0, 2.0], name='v')  #: a\ns = tf.random_shuffle(v, name='deal')  #: b\ny = tf.square(s)\ntf.gradients(y, [v])",
        LookupError,
        "No gradient defined for operation 'deal' (op type: RandomShuffle)",
        "'deal' RandomShuffle made at {b}",
        "'v' (2,) float32 made at {a}",
    ),
    build(
        "grad_ys_count",
        "v = tf.Variable(1.0)\ny = v * v\ntf.gradients(y, [v], grad_ys=[1.0, 2.0])",
        ValueError,
        "Passed 2 grad_ys for 1 ys",
    ),
    build(
        "grad_ys_shape",
        "v = tf.Variable([1.0, 2.0])\ny = v * v\ntf.gradients(y, [v], grad_ys=[[1.0, 2.0, 3.0]])",
        ValueError,
        "(3,)",
        "must have the shape of",
    ),
    build(
        "nothing_to_optimize",
        "x = tf.constant(1.0)\ntf.train.GradientDescentOptimizer(0.1).minimize(x)",
        ValueError,
        "No variables to optimize.",
    ),
    build(
        "no_path_to_optimize",
        "v = tf.Variable(1.0, name='v')\nx = tf.constant(1.0)  #: a\ntf.train.AdamOptimizer(0.1).minimize(x)",
        ValueError,
        "No gradients provided for any variable, check your graph for ops that do not support gradients",
        "<tf.Variable 'v:0' shape=() dtype=float32_ref>",
        "'Const' () float32 made at {a}",
    ),
    build(
        "integer_loss",
        "n = tf.Variable(1)\nloss = n * n  #: a\ntf.train.GradientDescentOptimizer(0.1).minimize(loss)",
        ValueError,
        "Invalid type tf.int32 for mul:0, expected: [tf.float32, tf.float64].",
        "'mul' () int32 made at {a}",
    ),
    build(
        "bool",
        "x = tf.zeros([2])  #: a\nif x:\n    pass",
        TypeError,
        "Using a `tf.Tensor` as a Python `bool` is not allowed",
        "made at {a}",
    ),
    build("bool_of_comparison", "x = tf.constant(1.0)\nc = x > 0.0\nc and x", TypeError, "Using a `tf.Tensor` as a Python `bool`"),
    build("iteration", "x = tf.zeros([2])\nfor part in x:\n    pass", TypeError, "Tensor objects are only iterable"),
    build("length", "v = tf.Variable([1.0])\nlen(v)", TypeError, "len is not well defined for symbolic Tensors", "'Variable' (1,) float32"),
    build("float", "x = tf.constant(1.0)\nfloat(x)", TypeError, "not a number", "sess.run"),
    build("array", "x = tf.constant(1.0)\nnp.asarray(x)", TypeError, "Cannot convert a symbolic Tensor to a numpy array"),
    build("numpy_function", "x = tf.constant(1.0)\nnp.exp(x)", TypeError, "Cannot convert a symbolic Tensor to a numpy array"),
)
