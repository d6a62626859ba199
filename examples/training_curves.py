"""Training curves in TensorBoard: the error of mini-batches as a curve, the graph as a drawing.

    python examples/training_curves.py            (writes into tf_logs/)
    tensorboard --logdir tf_logs
"""

from datetime import UTC, datetime

import numpy as np
from data import load, with_bias

import symgraph as tf

BATCH = 100
FOLDER = f"tf_logs/run-{datetime.now(UTC):%Y%m%d%H%M%S}"

# ---------------------------------------------------------------- The graph
# A summary is an operation too: fetched, it gives bytes that a writer puts into an event file.
data = load()
rows = with_bias(data.scaled)

tf.reset_default_graph()
tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, rows.shape[1]), name="X")
y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
theta = tf.Variable(tf.random_uniform([rows.shape[1], 1], -1.0, 1.0, seed=42), name="theta")
with tf.name_scope("loss"):
    mse = tf.reduce_mean(tf.square(tf.matmul(X, theta) - y), name="mse")
with tf.name_scope("train"):
    training_op = tf.train.GradientDescentOptimizer(learning_rate=0.01).minimize(mse)
init = tf.global_variables_initializer()
curves = tf.summary.merge([tf.summary.scalar("MSE", mse), tf.summary.histogram("theta", theta)])

# ---------------------------------------------------------------- The writer
# Each run of the program has a folder of its own, so that TensorBoard can lay the curves of several runs over one another.
# Without TensorBoard the model is trained all the same.
try:
    writer = tf.summary.FileWriter(FOLDER, tf.get_default_graph())
except ImportError as error:
    print(f"Nothing is logged: {error}")
    writer = None

# ---------------------------------------------------------------- Training
# Every tenth batch is logged, before its step.
step = 0
generator = np.random.default_rng(42)

with tf.Session() as sess:
    sess.run(init)
    for epoch in range(10):
        order = generator.permutation(len(rows))
        for start in range(0, len(rows), BATCH):
            chosen = order[start : start + BATCH]
            feeds = {X: rows[chosen], y: data.target[chosen]}
            if writer and step % 10 == 0:
                writer.add_summary(sess.run(curves, feeds), step)
            sess.run(training_op, feeds)
            step += 1
        print("epoch", epoch, "error over all rows", mse.eval(feed_dict={X: rows, y: data.target}))

if writer:
    writer.close()
    print(f"Curves and graph are in {FOLDER}: tensorboard --logdir tf_logs")
