"""The Graphs tab of the name-scope program, drawn by TensorBoard itself: writes docs/graphs.png.

    python docs/screenshot.py

Law of this file: the picture is what the real TensorBoard shows in a real browser.  It needs TensorBoard, Chromium and
chromedriver; the browser is spoken to in the W3C WebDriver protocol, which is a dozen lines of JSON over HTTP.
Everything stays on the loopback.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np

import symgraph as tf

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--hide-scrollbars",
)


# ---------------------------------------------------------------- the program
def write_logs(logdir: str, rows: int = 400, epochs: int = 2, batch_size: int = 100) -> None:
    """Mini-batch linear regression with a `loss` name scope, its optimizer, its error as a scalar, its graph."""
    rng = np.random.default_rng(42)
    data = rng.standard_normal((rows, 9))
    target = data @ rng.standard_normal((9, 1))
    tf.reset_default_graph()
    X = tf.placeholder(tf.float32, shape=(None, 9), name="X")
    y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
    theta = tf.Variable(tf.random_uniform([9, 1], -1.0, 1.0, seed=42), name="theta")
    y_pred = tf.matmul(X, theta, name="predictions")
    with tf.name_scope("loss"):
        error = y_pred - y
        mse = tf.reduce_mean(tf.square(error), name="mse")
    training_op = tf.train.GradientDescentOptimizer(learning_rate=0.01).minimize(mse)
    init = tf.global_variables_initializer()
    mse_summary = tf.summary.scalar("MSE", mse)

    with tf.summary.FileWriter(logdir, tf.get_default_graph()) as writer, tf.Session() as sess:
        sess.run(init)
        for step in range(epochs * rows // batch_size):
            batch = rng.integers(rows, size=batch_size)
            feed = {X: data[batch], y: target[batch]}
            writer.add_summary(mse_summary.eval(feed_dict=feed), step)
            sess.run(training_op, feed_dict=feed)
        writer.add_source("source", sess.compiled(training_op))


# ---------------------------------------------------------------- TensorBoard and the browser
@contextmanager
def tensorboard(logdir: str) -> Iterator[str]:
    """A TensorBoard over `logdir` on a free port of 127.0.0.1; yields its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", logdir, "--host", "127.0.0.1", "--port", "0", "--load_fast", "false"]
    with _process(command, r"http://127\.0\.0\.1:\d+") as address:
        yield address


def installed() -> tuple[str, str] | None:
    """Where Chromium and chromedriver are; None when one of them is missing."""
    chromium, driver = next(filter(None, map(shutil.which, CHROMIUM)), None), shutil.which("chromedriver")
    return (chromium, driver) if chromium and driver else None


@contextmanager
def browser(width: int = 1400, height: int = 900) -> Iterator[Browser]:
    """A headless Chromium with an empty profile.  FileNotFoundError when Chromium or chromedriver is missing."""
    found = installed()
    if found is None:
        raise FileNotFoundError("Chromium and chromedriver are needed: apt-get install chromium chromium-driver")
    chromium, driver = found
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, _process([driver, "--port=0"], r"on port (\d+)\.") as port:
        arguments = [*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}"]
        options = {"binary": chromium, "args": arguments}
        server = f"http://127.0.0.1:{port}/session"
        made = _call("POST", server, {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        page = Browser(f"{server}/{made['sessionId']}")
        try:
            yield page
        finally:
            _call("DELETE", page.session)


class Browser:
    """One window: what is shown here and nothing more."""

    def __init__(self, session: str) -> None:
        self.session = session

    def open(self, url: str) -> None:
        _call("POST", f"{self.session}/url", {"url": url})

    def ask(self, script: str, *arguments: Any) -> Any:
        """The value of a JavaScript function body, in which `deep(selector)` finds elements through shadow roots."""
        return _call("POST", f"{self.session}/execute/sync", {"script": _DEEP + script, "args": list(arguments)})

    def wait(self, script: str, *arguments: Any, seconds: float = 40.0) -> Any:
        """The first true value of a script; TimeoutError when there is none in time."""
        end = time.monotonic() + seconds
        while not (answer := self.ask(script, *arguments)):
            if time.monotonic() > end:
                raise TimeoutError(f"the page never came to: {script}")
            time.sleep(0.1)
        return answer

    def picture(self, x: float, y: float, width: float, height: float, scale: float = 1.0) -> bytes:
        """A PNG of a part of the window, in the page's own coordinates."""
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": scale}
        order = {"cmd": "Page.captureScreenshot", "params": {"format": "png", "clip": clip}}
        return base64.b64decode(_call("POST", f"{self.session}/goog/cdp/execute", order)["data"])


_DEEP = """
function deep(selector, root = document) {
  const found = [...root.querySelectorAll(selector)];
  for (const e of root.querySelectorAll('*')) if (e.shadowRoot) found.push(...deep(selector, e.shadowRoot));
  return found;
}
"""


@contextmanager
def _process(command: list[str], ready: str) -> Iterator[str]:
    """A running program; yields what `ready` matches in its output, and ends the program afterwards."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if found := re.search(ready, line):
                    yield found[found.lastindex or 0]
                    break
            else:
                raise RuntimeError(f"{command[0]} ended:\n{''.join(said)}")
        finally:
            process.terminate()
            process.stdout.close()


def _call(method: str, url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except HTTPError as refused:
        with refused:
            raise RuntimeError(json.load(refused)["value"]["message"]) from None


# ---------------------------------------------------------------- the picture
def picture_of_graph(page: Browser, address: str, opened: str = "loss") -> bytes:
    """The drawn graph with one name scope opened, and nothing around it."""
    page.open(f"{address}/#graphs")
    page.wait(_NODE + "return node", opened)
    time.sleep(2)  # what follows waits for animations, which have no end that could be asked for
    page.ask(_NODE + "node.querySelector('rect').dispatchEvent(new MouseEvent('dblclick', {bubbles: true, composed: true}))", opened)
    page.wait("return deep('svg g.node').some(e => e.dataset.name.startsWith(arguments[0] + '/'))", opened)
    time.sleep(2)
    page.ask("deep('#svg')[0].dispatchEvent(new MouseEvent('click', {bubbles: true, composed: true}))")
    page.ask("deep('paper-button[alt=\"Fit to screen\"]')[0].click()")
    time.sleep(2)
    left, top, right, bottom = page.ask(_DRAWN)
    return page.picture(left, top, right - left, bottom - top, scale=1.5)


_NODE = "const node = deep('svg g.node').find(e => e.dataset.name == arguments[0]);"
_DRAWN = """
const boxes = deep('svg g.node, svg g.edge, .titleContainer .title, .titleContainer .auxTitle').map(e => e.getBoundingClientRect());
const real = boxes.filter(b => b.width && b.height), gap = 14;
return [Math.min(...real.map(b => b.left)) - gap, Math.min(...real.map(b => b.top)) - gap,
        Math.max(...real.map(b => b.right)) + gap, Math.max(...real.map(b => b.bottom)) + gap];
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as logdir:
        write_logs(logdir)
        with tensorboard(logdir) as address, browser(1150, 1100) as page:
            Path(__file__).with_name("graphs.png").write_bytes(picture_of_graph(page, address))


if __name__ == "__main__":
    main()
