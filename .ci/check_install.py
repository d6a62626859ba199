"""A tiny program, run from a foreign folder: is the library the one that is meant, and does it compute?

    python check_install.py FOLDER        FOLDER is where the library must have been found
"""

import sys
from pathlib import Path

import numpy as np

import symgraph as sg
import symgraph.codegen

folder = Path(sys.argv[1]).resolve()
for module in (sg, symgraph.codegen):
    assert folder in Path(str(module.__file__)).resolve().parents, f"{module.__name__} came from {module.__file__}, not from {folder}"

X = sg.placeholder(sg.float32, shape=(None, 2), name="X")
y = sg.placeholder(sg.float32, shape=(None, 1), name="y")
theta = sg.Variable([[1.0], [2.0]], name="theta")
loss = sg.reduce_mean(sg.square(sg.matmul(X, theta) - y), name="loss")
step = sg.train.GradientDescentOptimizer(0.1).minimize(loss)

rng = np.random.default_rng(0)
data = rng.standard_normal((50, 2)).astype(np.float32)
target = data @ np.float32([[3.0], [-1.0]])
with sg.Session() as sess:
    sess.run(sg.global_variables_initializer())
    for _ in range(200):
        sess.run(step, feed_dict={X: data, y: target})
    found = sess.run(theta)
np.testing.assert_allclose(found, [[3.0], [-1.0]], atol=1e-4)
print("ok:", sg.__file__, found.ravel())
