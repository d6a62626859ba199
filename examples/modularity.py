"""Modularity: a function that builds a part of a graph is written once and called often; and how the parts share a variable.

    python examples/modularity.py
"""

import symgraph as tf

FEATURES = 3
INPUT = [[1.0, 2.0, -1.0], [-0.5, 0.3, 2.0]]

# ---------------------------------------------------------------- By copy and paste
# Two rectified linear units, written twice. Such a listing invites slips: which of its lines must change for a third unit?
tf.reset_default_graph()
tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, FEATURES), name="X")

weights_a = tf.Variable(tf.random_normal([FEATURES, 1]), name="weights_a")
weights_b = tf.Variable(tf.random_normal([FEATURES, 1]), name="weights_b")
bias_a = tf.Variable(0.0, name="bias_a")
bias_b = tf.Variable(0.0, name="bias_b")
unit_a = tf.maximum(tf.matmul(X, weights_a) + bias_a, 0.0, name="unit_a")
unit_b = tf.maximum(tf.matmul(X, weights_b) + bias_b, 0.0, name="unit_b")
output = tf.add(unit_a, unit_b, name="output")

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    print(output.eval({X: INPUT}).ravel())


# ---------------------------------------------------------------- By a function
# The function asks its input for the number of features. Each call makes variables of its own, in a scope of its own.
def unit(X: tf.Tensor) -> tf.Tensor:
    """A rectified linear unit: max(Xw + b, 0), shape (rows, 1)."""
    with tf.name_scope("unit"):
        features = int(X.get_shape()[1])
        weights = tf.Variable(tf.random_normal([features, 1]), name="weights")
        bias = tf.Variable(0.0, name="bias")
        return tf.maximum(tf.matmul(X, weights) + bias, 0.0, name="max")


tf.reset_default_graph()
tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, FEATURES), name="X")
output = tf.add_n([unit(X) for _ in range(5)], name="output")

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    print(output.eval({X: INPUT}).ravel())
print([variable.op.name for variable in tf.global_variables()])

# ---------------------------------------------------------------- What the five look like
print(tf.show_graph(output))


# ---------------------------------------------------------------- Sharing a threshold
# All units shall be cut off at one threshold, a variable that exists once. Every way below ends in the same graph but for
# names; `report` says what each has made.
def thresholded(X: tf.Tensor, threshold: tf.Variable) -> tf.Tensor:
    """A linear unit that is cut off below `threshold`, shape (rows, 1)."""
    features = int(X.get_shape()[1])
    weights = tf.Variable(tf.random_normal([features, 1]), name="weights")
    bias = tf.Variable(0.0, name="bias")
    return tf.maximum(tf.matmul(X, weights) + bias, threshold, name="max")


def start() -> tf.Tensor:
    """The input, in an empty graph."""
    tf.reset_default_graph()
    tf.set_random_seed(42)
    return tf.placeholder(tf.float32, shape=(None, FEATURES), name="X")


def report(way: str, units: list[tf.Tensor]) -> None:
    """Name the thresholds of the graph, and its value with the threshold at 1."""
    output = tf.add_n(units, name="output")
    thresholds = [variable for variable in tf.global_variables() if "threshold" in variable.name]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run([tf.assign(variable, 1.0) for variable in thresholds])
        print(f"{way:22}", [variable.op.name for variable in thresholds], output.eval({X: INPUT}).ravel())


# ---------------------------------------------------------------- As an argument
# The plainest way: whoever calls makes the variable. With many shared variables the lists of arguments grow long.
X = start()
threshold = tf.Variable(0.0, name="threshold")
with tf.name_scope("unit"):
    units = [thresholded(X, threshold) for _ in range(5)]
report("argument", units)


# ---------------------------------------------------------------- As an attribute of the function
# The first call makes it. The function then remembers a variable of one graph: for another graph it must be forgotten.
def remembering(X: tf.Tensor) -> tf.Tensor:
    with tf.name_scope("unit"):
        if not hasattr(remembering, "threshold"):
            remembering.threshold = tf.Variable(0.0, name="threshold")  # type: ignore[attr-defined]
        return thresholded(X, remembering.threshold)


X = start()
vars(remembering).clear()
report("function attribute", [remembering(X) for _ in range(5)])

# ---------------------------------------------------------------- By name: made once, then reused
# `get_variable` finds a variable by its name, where its scope allows reuse; what it must not make or must not find is an error.
X = start()
with tf.variable_scope("unit"):
    made = tf.get_variable("threshold", shape=(), initializer=tf.constant_initializer(0.0))
with tf.variable_scope("unit", reuse=True):
    found = tf.get_variable("threshold")
with tf.variable_scope("unit") as scope:
    scope.reuse_variables()
    found_too = tf.get_variable("threshold")
print("one variable:", made is found is found_too)
try:
    with tf.variable_scope("unit"):
        tf.get_variable("threshold", shape=())
except ValueError as error:
    print(str(error).splitlines()[0])


# ---------------------------------------------------------------- Reuse inside the function
# The caller makes the variable in the scope in which the function looks for it.
def looking(X: tf.Tensor) -> tf.Tensor:
    with tf.variable_scope("unit", reuse=True):
        return thresholded(X, tf.get_variable("threshold"))


X = start()
with tf.variable_scope("unit"):
    tf.get_variable("threshold", shape=(), initializer=tf.constant_initializer(0.0))
report("reuse in the function", [looking(X) for _ in range(5)])


# ---------------------------------------------------------------- The first call makes it
# The function says how the variable is made, in whatever scope it is called; the caller says from when on it is reused.
def asking(X: tf.Tensor) -> tf.Tensor:
    return thresholded(X, tf.get_variable("threshold", shape=(), initializer=tf.constant_initializer(0.0)))


X = start()
with tf.variable_scope("unit") as scope:
    units = [asking(X)]
    scope.reuse_variables()
    units += [asking(X) for _ in range(4)]
report("reuse from the second", units)

X = start()
units = []
for index in range(5):
    with tf.variable_scope("unit", reuse=index >= 1):
        units.append(asking(X))
report("reuse=(index >= 1)", units)

# ---------------------------------------------------------------- Made or reused, as it comes
X = start()
units = []
for _ in range(5):
    with tf.variable_scope("unit", reuse=tf.AUTO_REUSE):
        units.append(asking(X))
report("AUTO_REUSE", units)
