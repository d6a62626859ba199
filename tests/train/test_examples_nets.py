"""The examples of nets learn what they say: each is run, and what it came to is held against what a simpler model comes to.

Law of this file: bounds leave room for another machine's rounding, never for a net that has learned nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.train.test_examples import Start

Check = Callable[[Any], bool]

TABLE: dict[str, tuple[Sequence[str], Check]] = {
    # a linear model and a net: shares of unseen digits that are right
    "digits_mlp": (("on the images that are kept back", "taken for something else"), lambda r: 0.9 < r[0] < r[1] and r[1] > 0.96),
    "digits_cnn": (("conv2/kernel", "are taken for others"), lambda r: 0.9 < r[0] < r[1] and r[1] > 0.97),
    # squared errors: of the LSTM, and the least ones of nets that see 1, 4 and 10 steps
    "sequence_lstm": (("10 steps: 0.0",), lambda r: r[0] < 0.01 < 0.03 < min(r[1])),
    # squared errors on unseen digits: of PCA and of the net
    "autoencoder": (("8 numbers for each", "of PCA"), lambda r: 0 < r[1] < 0.8 * r[0]),
    # nats, and pixels: new digits are nearly as close to known ones as true digits are
    "vae": (
        ("Digits that nobody wrote", "times as probable"),
        lambda r: r["ELBO"] > r["independent"] + 5 and r["new"] < 1.5 * r["kept back"] < 0.7 * r["pixels"],
    ),
    # where words that belong together stand among each other's neighbours, the median
    "word2vec": (("neighbours", "by chance"), lambda r: r["last"] < 0.95 * r["first"] and r["rank"] < 0.1 * r["chance"]),
    # how far from the density with two peaks: at first, and at last
    "gan": (("target", "distance"), lambda r: r[0] > 1 and r[-1] < 0.15),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_net(name: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    texts, learned = TABLE[name]
    result = start(name, name).main([])
    said = capsys.readouterr().out
    for text in texts:
        assert text in said, f"{text!r} in\n{said}"
    assert learned(result), f"{result}\n{said}"
