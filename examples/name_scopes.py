"""Name scopes: names of operations get a path, and a graph that would be a tangle becomes a few boxes.

    python examples/name_scopes.py
"""

import symgraph as tf

# ---------------------------------------------------------------- Names are unique
# A name that is taken gets a number. A scope of the same name is another scope, unless it is entered again by its
# full name with a slash.
tf.reset_default_graph()
first = tf.constant(1.0, name="rate")
second = tf.constant(2.0, name="rate")
with tf.name_scope("layer"):
    third = tf.constant(3.0, name="rate")
with tf.name_scope("layer") as scope:
    fourth = tf.constant(4.0, name="rate")
with tf.name_scope(scope):
    fifth = tf.constant(5.0, name="rate")

for constant in (first, second, third, fourth, fifth):
    print(constant.op.name)

# ---------------------------------------------------------------- A model in scopes
# What belongs together is built in one scope: the loss, and the gradients with the update of the parameters.
tf.reset_default_graph()
X = tf.placeholder(tf.float32, shape=(None, 3), name="X")
y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
theta = tf.Variable(tf.zeros([3, 1]), name="theta")
predictions = tf.matmul(X, theta, name="predictions")
with tf.name_scope("loss"):
    error = predictions - y
    mse = tf.reduce_mean(tf.square(error), name="mse")
with tf.name_scope("train"):
    training_op = tf.train.GradientDescentOptimizer(learning_rate=0.1).minimize(mse)

print([tensor.op.name for tensor in (predictions, error, mse)], training_op.name)

# ---------------------------------------------------------------- Finding operations by name
graph = tf.get_default_graph()
found = graph.get_tensor_by_name("loss/mse:0")
print(found is mse, [tensor.op.name for tensor in found.op.inputs])

# ---------------------------------------------------------------- Looking at it
# A notebook shows a drawing with the scopes as boxes; elsewhere it is a tree of text. A tensor shows what it is computed from.
print(tf.show_graph(mse))
