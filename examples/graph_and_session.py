"""A graph is built first and computed later: building records operations, a session runs them.

    python examples/graph_and_session.py
"""

import symgraph as tf

# ---------------------------------------------------------------- Building
# Nothing is computed here. Each line records operations in the default graph, and what comes back is a handle with a
# name, a dtype and a shape.
tf.reset_default_graph()
tf.set_random_seed(1)

width = tf.Variable(6, name="width")
height = tf.Variable(7, name="height")
area = tf.multiply(width, height, name="area")
rim = 2 * (width + height)
print(area, rim, sep="\n")

# ---------------------------------------------------------------- Running
# Values live in a session. A variable has none until its initializer has run there.
with tf.Session() as sess:
    width.initializer.run()
    height.initializer.run()
    print("area", area.eval(), "rim", rim.eval())

# ---------------------------------------------------------------- All variables at once
# An operation that initializes every variable is itself a part of the graph, so it is built before it is run.
init = tf.global_variables_initializer()

with tf.Session() as sess:
    init.run()
    print("area and rim in one run:", sess.run([area, rim]))

with tf.Session() as sess:  # a new session: its variables are empty again
    try:
        area.eval()
    except tf.errors.FailedPreconditionError as error:
        print(error)

# ---------------------------------------------------------------- What a run computes
# Only what the fetched tensors need is computed, each operation once in a run, and nothing is kept between runs but
# variables. A random operation shows it: within one run both fetches see the same draw, and each run draws anew.
draw = tf.random_uniform([], name="draw")
twice = 2 * draw

with tf.Session() as sess:
    one, two = sess.run([draw, twice])
    print("in one run: ", one, two, "->", two / one)
    one, two = draw.eval(), twice.eval()
    print("in two runs:", one, two, "->", two / one)

# ---------------------------------------------------------------- A session without a with block
# An interactive session is the default from where it is made until it is closed.
sess = tf.InteractiveSession()
init.run()
print("area", area.eval())
sess.close()

# ---------------------------------------------------------------- Several graphs
# What is built inside the block belongs to the other graph, and the default graph is as it was.
other = tf.Graph()
with other.as_default():
    elsewhere = tf.constant([1.0, 2.0], name="elsewhere")

print(elsewhere.graph is other, elsewhere.graph is tf.get_default_graph())
with tf.Session(graph=other) as sess:
    print(sess.run(elsewhere))
