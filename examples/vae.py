"""A variational autoencoder on hand-written digits: it learns what digits are like, and draws some that nobody wrote.

An image x, in black and white, becomes a normal distribution of codes z, mean and deviation; a code drawn from it becomes
the probability of each pixel.  What is trained is a bound from below (ELBO) of the logarithm of the probability of x, in nats:

    E log p(x|z)  -  KL(q(z|x) || N(0, 1))

the first from one draw of z, the second, the latent loss, in closed form.  After that a code drawn from N(0, 1) is fed in the
place of z, and what comes out is a new digit.

    python examples/vae.py [--epochs 50] [--hidden 100] [--codes 8]

Source: Kingma and Welling (2014).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from digits import Digits, batches, load, picture

import symgraph as tf

SEED = 42
BATCH = 50


@dataclass(frozen=True)
class Model:
    """What is fed and what is run; `likelihood` and `latent` are means over the images, and their difference is the ELBO."""

    X: tf.Tensor
    codes: tf.Tensor
    pixels: tf.Tensor
    likelihood: tf.Tensor
    latent: tf.Tensor
    training_op: tf.Operation


def build(hidden: int, codes: int) -> Model:
    tf.reset_default_graph()
    tf.set_random_seed(SEED)
    X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
    with tf.variable_scope("encoder"):
        layer = tf.layers.dense(X, hidden, tf.nn.elu, name="hidden")
        mean = tf.layers.dense(layer, codes, name="mean")
        gamma = tf.layers.dense(layer, codes, name="gamma")  # the logarithm of the variance
    noise = tf.random_normal(tf.shape(gamma), dtype=tf.float32)
    z = tf.add(mean, tf.exp(0.5 * gamma) * noise, name="codes")
    with tf.variable_scope("decoder"):
        layer = tf.layers.dense(z, hidden, tf.nn.elu, name="hidden")
        logits = tf.layers.dense(layer, 64, name="logits")
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=X, logits=logits)
    likelihood = -tf.reduce_mean(tf.reduce_sum(entropy, axis=1))
    latent = 0.5 * tf.reduce_mean(tf.reduce_sum(tf.exp(gamma) + tf.square(mean) - 1.0 - gamma, axis=1))
    training_op = tf.train.AdamOptimizer(0.003).minimize(latent - likelihood)
    return Model(X, z, tf.sigmoid(logits, name="pixels"), likelihood, latent, training_op)


def black_and_white(data: Digits) -> Digits:
    """The same with pixels that are 0 or 1."""
    images, test = ((x >= 0.5).astype(np.float32) for x in (data.images, data.test_images))
    return replace(data, images=images, test_images=test)


def independent(images: np.ndarray, new: np.ndarray) -> float:
    """Nats for one of `new`, when each pixel is drawn for itself with its mean over `images`."""
    mean = np.clip(images.mean(axis=0), 1e-3, 1 - 1e-3)
    return float(np.mean(np.sum(np.where(new > 0, np.log(mean), np.log(1 - mean)), axis=1)))


def distance(images: np.ndarray, new: np.ndarray) -> float:
    """In how many pixels one of `new` differs from the one of `images` that is most like it: the mean."""
    return float(np.mean([np.abs(images - x).sum(axis=1).min() for x in new]))


def train(data: Digits, epochs: int, hidden: int, codes: int, draws: int = 200) -> tuple[float, np.ndarray]:
    """The ELBO of the images that are kept back, and `draws` new images."""
    model = build(hidden, codes)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        print(f"{'epoch':>6}{'log p(x|z)':>12}{'KL':>8}{'ELBO':>9}   nats for an image that is kept back")
        for epoch in range(epochs):
            for rows in batches(len(data.images), BATCH, epoch):
                sess.run(model.training_op, {model.X: data.images[rows]})
            if epoch % 10 == 9 or epoch == epochs - 1:
                likelihood, latent = sess.run([model.likelihood, model.latent], {model.X: data.test_images})
                print(f"{epoch + 1:>6}{likelihood:>12.3f}{latent:>8.3f}{likelihood - latent:>9.3f}")
        drawn = np.random.default_rng(SEED).standard_normal((draws, codes))
        return float(likelihood - latent), sess.run(model.pixels, {model.codes: drawn})


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """The ELBO, what independent pixels come to, and how far from an image that was trained on others are."""
    parser = argparse.ArgumentParser(description="A variational autoencoder on hand-written digits.")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--hidden", type=int, default=100, help="units of the hidden layers")
    parser.add_argument("--codes", type=int, default=8, help="numbers in a code")
    options = parser.parse_args(arguments)

    data = black_and_white(load())
    print(f"{len(data.images)} images to train on, {len(data.test_images)} to test with\n")
    elbo, drawn = train(data, options.epochs, options.hidden, options.codes)
    plain = independent(data.images, data.test_images)
    print(f"\nELBO {elbo:.3f}, against {plain:.3f} when pixels are drawn one by one: e^{elbo - plain:.1f} times as probable\n")
    print("Digits that nobody wrote:\n")
    print(picture(drawn[:6]))
    pixels = np.random.default_rng(SEED).random(drawn.shape) < data.images.mean(axis=0)
    found = {
        "ELBO": elbo,
        "independent": plain,
        "new": distance(data.images, np.round(drawn)),
        "kept back": distance(data.images, data.test_images),
        "pixels": distance(data.images, pixels),
    }
    print(f"\nThe image most like one of them, of those trained on, differs in {found['new']:.1f} pixels of 64; for images that were")
    print(f"kept back these are {found['kept back']:.1f}, for pixels drawn one by one {found['pixels']:.1f}.")
    return found


if __name__ == "__main__":
    main()
