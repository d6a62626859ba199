"""Saving a model while it is trained, restoring it, and going on in a program that has no code for the graph.

    python examples/saving.py            (writes into my_model/)
"""

from pathlib import Path

import numpy as np
from data import load, with_bias

import symgraph as tf

FOLDER = Path("my_model")

# ---------------------------------------------------------------- A model to save
# The usual linear regression. A Saver takes the variables that exist when it is made, so it is made last.
data = load()

tf.reset_default_graph()
tf.set_random_seed(42)
X = tf.constant(with_bias(data.scaled), dtype=tf.float32, name="X")
y = tf.constant(data.target, dtype=tf.float32, name="y")
theta = tf.Variable(tf.random_uniform([int(X.get_shape()[1]), 1], -1.0, 1.0, seed=42), name="theta")
mse = tf.reduce_mean(tf.square(tf.matmul(X, theta) - y), name="mse")
global_step = tf.train.get_or_create_global_step()
optimizer = tf.train.MomentumOptimizer(learning_rate=0.01, momentum=0.9)
training_op = optimizer.minimize(mse, global_step=global_step, name="training_op")

init = tf.global_variables_initializer()
saver = tf.train.Saver(max_to_keep=3)

# ---------------------------------------------------------------- Saving
# A checkpoint holds the variables, among them the momentum and the number of the step. The number in the file's name
# tells checkpoints apart, and the oldest are removed.
FOLDER.mkdir(exist_ok=True)

with tf.Session() as sess:
    sess.run(init)
    while (step := global_step.eval()) < 300:
        if step % 50 == 0:
            print("step", step, "error", mse.eval(), "->", saver.save(sess, f"{FOLDER}/model.ckpt", global_step=global_step))
        sess.run(training_op)
    trained = theta.eval()
    final = saver.save(sess, f"{FOLDER}/final.ckpt")

# ---------------------------------------------------------------- Restoring
# Nothing needs to be initialized: the values come from the file, bit for bit.
with tf.Session() as sess:
    saver.restore(sess, final)
    print("same theta:", np.array_equal(theta.eval(), trained), "at step", global_step.eval())

# ---------------------------------------------------------------- Some variables, under other names
# A list chooses variables, a dict also says what they are called in the file.
weights_saver = tf.train.Saver({"weights": theta})

with tf.Session() as sess:
    theta.initializer.run()
    weights_saver.save(sess, f"{FOLDER}/weights.ckpt")

# ---------------------------------------------------------------- Going on without the code
# The graph lies beside the values. Another program brings both back, finds the operations by their names, and trains on:
# one step after the other, this gives the very numbers of a training that was never interrupted.
with tf.Session() as sess:
    saver.restore(sess, final)
    for _ in range(100):
        sess.run(training_op)
    uninterrupted = theta.eval()

with tf.Graph().as_default() as graph:
    restorer = tf.train.import_meta_graph(f"{final}.meta")

with tf.Session(graph=graph) as sess:
    restorer.restore(sess, final)
    for _ in range(100):
        sess.run(graph.get_operation_by_name("training_op"))
    resumed, error = sess.run([graph.get_tensor_by_name("theta:0"), graph.get_tensor_by_name("mse:0")])
print("step 400, error", error, "- the same as without a stop:", np.array_equal(resumed, uninterrupted))
