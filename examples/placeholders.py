"""Placeholders: tensors that get a value anew in each run, so that one graph serves any data and any number of rows.

    python examples/placeholders.py
"""

import numpy as np
from data import load, with_bias

import symgraph as tf

# ---------------------------------------------------------------- A size that stays open
# `None` leaves the number of rows open. Each run says it through the array that is fed.
tf.reset_default_graph()
points = tf.placeholder(tf.float32, shape=(None, 2), name="points")
lengths = tf.sqrt(tf.reduce_sum(tf.square(points), axis=1), name="lengths")
print(lengths)

with tf.Session() as sess:
    print(lengths.eval(feed_dict={points: [[3, 4]]}))
    print(lengths.eval(feed_dict={points: [[6, 8], [5, 12], [8, 15]]}))

# ---------------------------------------------------------------- What does not fit
# The columns are not open: an array with three of them is refused.
with tf.Session() as sess:
    try:
        lengths.eval(feed_dict={points: [[1, 2, 3]]})
    except ValueError as error:
        print(error)

# ---------------------------------------------------------------- Feeding what is not a placeholder
# Any tensor can be fed, and nothing that it would have been computed from is then needed.
half = lengths / 2
with tf.Session() as sess:
    print(half.eval(feed_dict={lengths: [10, 20]}))

# ---------------------------------------------------------------- Mini-batches: the graph
# A linear regression whose rows are fed. The number of rows is a letter in the formula of the gradient too.
data = load()
rows = with_bias(data.scaled)

tf.reset_default_graph()
tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, rows.shape[1]), name="X")
y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
theta = tf.Variable(tf.random_uniform([rows.shape[1], 1], -1.0, 1.0, seed=42), name="theta")
mse = tf.reduce_mean(tf.square(tf.matmul(X, theta) - y), name="mse")
training_op = tf.train.GradientDescentOptimizer(learning_rate=0.01).minimize(mse)
init = tf.global_variables_initializer()

print(tf.formula(tf.gradients(mse, [theta])[0]))

# ---------------------------------------------------------------- Mini-batches: training
# Each epoch goes through all rows once, in an order of its own. The last batch is smaller than the others, and the
# error is taken over all rows: the same compiled code serves every number of rows.
BATCH = 100
generator = np.random.default_rng(42)

with tf.Session() as sess:
    sess.run(init)
    for epoch in range(10):
        order = generator.permutation(len(rows))
        for start in range(0, len(rows), BATCH):
            chosen = order[start : start + BATCH]
            sess.run(training_op, feed_dict={X: rows[chosen], y: data.target[chosen]})
        print("epoch", epoch, "error over all rows", mse.eval(feed_dict={X: rows, y: data.target}))
    print(theta.eval().ravel())
