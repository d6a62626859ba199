"""Training loops as one call: records, mini-batches, learning rates that fall, and what the compiler makes of it.

python examples/training_loop.py
"""

import numpy as np
from data import load, with_bias

import symgraph as tf

# ---------------------------------------------------------------- A model and its step
# The usual linear regression on fed rows, with a learning rate that falls with the number of the step.
data = load()
rows = with_bias(data.scaled)

tf.reset_default_graph()
tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, rows.shape[1]), name="X")
y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
theta = tf.Variable(tf.random_uniform([rows.shape[1], 1], -1.0, 1.0, seed=42), name="theta")
mse = tf.reduce_mean(tf.square(tf.matmul(X, theta) - y), name="mse")
global_step = tf.train.get_or_create_global_step()
rate = tf.train.exponential_decay(0.05, global_step, decay_steps=500, decay_rate=0.5)
training_op = tf.train.GradientDescentOptimizer(rate).minimize(mse, global_step=global_step)
init = tf.global_variables_initializer()
feeds = {X: rows, y: data.target}

# ---------------------------------------------------------------- The loop in Python
# Each step is a call: what is to be recorded is run first, then the step.
with tf.Session() as sess:
    sess.run(init)
    errors = []
    for step in range(1000):
        if step % 100 == 0:
            errors.append(sess.run(mse, feeds))
        sess.run(training_op, feeds)
    by_hand = sess.run(theta)

# ---------------------------------------------------------------- The loop in one call
# The same, compiled as a whole. The history holds what was recorded: by name, or by the tensor itself.
with tf.Session() as sess:
    sess.run(init)
    history = sess.run_loop(training_op, steps=1000, feed_dict=feeds, record={"error": mse, "rate": rate}, every=100)
    print(history)
    print("the same errors:", np.allclose(history[mse], errors, rtol=1e-4))
    print("the same theta:", np.allclose(sess.run(theta), by_hand, rtol=1e-3, atol=1e-5))

# ---------------------------------------------------------------- Mini-batches
# Every epoch goes through all rows once, in an order of its own; the last batch of an epoch is smaller. `rows` says which
# rows a step sees, so that any other program can see the same ones.
batches = tf.Minibatch(batch_size=100, seed=42)

with tf.Session() as sess:
    sess.run(init)
    history = sess.run_loop(training_op, 2000, feeds, minibatch=batches, record={"error of the batch": mse}, every=200)
    print(history)
    print("the first step sees the rows", batches.rows(len(rows), steps=1)[0][:5], "...")
    print("error over all rows", sess.run(mse, feeds))

# ---------------------------------------------------------------- Sums in another order
# With fixed rows the gradient 2/m Xᵀ(Xθ − y) is 2/m (XᵀX θ − Xᵀy): what stands before θ is the same in every step. This rounds
# differently, so it is done where it is asked for. `explain` tells what was done, and why.
with tf.Session() as sess:
    sess.run(init)
    history = sess.run_loop(training_op, 1000, feeds, record=mse, every=100, reassociate=True)
    print("close to the same errors:", np.allclose(history[mse], errors, rtol=1e-3))
    print(history.explain())
