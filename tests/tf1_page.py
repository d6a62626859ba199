"""`python -m tests.tf1_page` writes docs/tf1.md: every name of TensorFlow 1 that is known, as working or missing with the reason.

Law of this file: what works is asked of the package, the reasons are those of its error messages, and a test holds the
page against both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import symgraph as sg
from symgraph import tf1
from symgraph.tf1_names import NAMES
from tests.tf1_contract import CONTRACT

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tf1.md"

HEAD = """\
# The names of TensorFlow 1

Which of TF1's names (mostly 1.15's) work with `import symgraph as tf`, and what to do without the others. Asking for a missing name raises
at once with the words that stand here, and `symgraph check program.py` says them of a program without running it. Nothing here was edited
by hand: `python -m tests.tf1_page` writes this page from the package, and a test holds it.

Programs that use nothing but these names are in [examples](../examples): `digits_mlp.py`, `digits_cnn.py`, `sequence_lstm.py`,
`autoencoder.py`, `vae.py`, `gan.py`, `word2vec.py`.

"""


def page() -> str:
    """The whole page."""
    works = dict(tf1.working(sg))
    head = f"{HEAD}{sum(works.values())} of {len(works)} names work.\n\n## What real programs use most\n\n"
    rows = [f"| `tf.{path}` | {_state(path)} |" for path in CONTRACT]
    parts = [head + "\n".join(["| name | |", "|---|---|", *rows]) + "\n"]
    parts += ["\n".join(_space(space, works)) for space in NAMES]
    return "\n".join(parts)


def _state(path: str) -> str:
    return "works" if tf1.works(sg, path) else f"missing: {_plain(tf1.reason(path))}"


def _space(space: str, works: dict[str, bool]) -> Iterator[str]:
    """A namespace: what works, and what is missing by reason."""
    listed = [(name, f"{space}.{name}" if space else name) for name in NAMES[space].split()]
    yield f"## tf.{space}\n" if space else "## tf\n"
    working = [name for name, path in listed if works[path]]
    if working:
        yield f"Works: {_names(working)}\n"
    reasons: dict[str, list[str]] = {}
    for name, path in listed:
        if not works[path]:
            reasons.setdefault(tf1.reason(path), []).append(name)
    if reasons:
        yield "Missing:\n"
        yield from (f"* {_names(names)}: {_plain(why)}" for why, names in reasons.items())
        yield ""


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
