"""docs/formulas.md is what the library says now; formulas never depend on hashes, on other operations, or on what was done before.

Law of this file: texts are compared whole: text, LaTeX and NumPy of a value and its derivative.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import symgraph as sg
from tests.formula import page
from tests.formula.katex import faults, why_not
from tests.formula.suite import suite

ROOT = Path(__file__).resolve().parents[2]
PRINT = """
import symgraph as sg
from tests.formula.page import Entry
from tests.formula.suite import suite
for row in suite():
    print("##", row.name)
    print(Entry(row).text())
"""


def test_the_page_is_current(request: pytest.FixtureRequest) -> None:
    now = page.page()
    if request.config.getoption("--renew-goldens"):
        page.PAGE.write_text(now, encoding="utf-8")
    kept = page.PAGE.read_text(encoding="utf-8")
    assert kept.splitlines() == now.splitlines(), "if this is meant, renew with: python -m tests.formula.page"


def test_the_page_is_whole() -> None:
    """80 losses or more, each once; every link has its heading, and every block its end."""
    found = list(page.entries())
    assert len({entry.loss.name for *_, entry in found}) == len(found) >= 80
    text = page.PAGE.read_text(encoding="utf-8")
    links = re.findall(r"\]\(#([^)]*)\)", text)
    headings = re.findall(r"^##+ (.*)$", text, re.MULTILINE)
    assert len(set(links)) == len(links) == len(headings) == len(found) + len(page.CHAPTERS)
    assert text.count("```") == 2 * (text.count("```math\n") + text.count("```python\n")) == 6 * len(found)


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "renders")
def test_the_page_renders() -> None:
    """Every block and every piece of mathematics inside a line, as KaTeX sees it."""
    text = page.PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```math\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"\$([^$\n]+)\$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    assert len(blocks) == 2 * len(list(page.entries())) and len(inline) > len(page.CHAPTERS)
    wrong = faults(list(dict.fromkeys([*blocks, *inline])))
    assert not wrong, "\n".join(wrong)


def test_texts_do_not_depend_on_hashes() -> None:
    """Every row of the suite in three processes."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PRINT],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        for seed in ("0", "1", "4711")
    ]
    first, *others = [process.communicate(timeout=600)[0].splitlines() for process in started]
    assert not any(process.returncode for process in started) and first.count("## " + suite()[-1].name) == 1
    for other in others:
        assert [pair for pair in zip(first, other, strict=False) if pair[0] != pair[1]][:3] == []
        assert len(first) == len(other)


def texts(order: int, prefix: str) -> dict[str, str]:
    """Every tenth row, in one order or the other, in graphs that hold unrelated operations with names that start with a prefix."""
    found = {}
    for row in suite()[::10][::order]:
        entry = page.Entry(row)
        with entry.graph.as_default():
            for k, letter in enumerate(prefix):
                u = sg.placeholder(sg.float64, (None, 4), letter + "unrelated")
                sg.gradients(sg.reduce_sum(sg.exp(u) * k + sg.tanh(u)), u)
        found[row.name] = entry.text()
    return found


def test_texts_do_not_depend_on_what_else_there_is() -> None:
    """Neither on unrelated operations and their names nor on the order in which formulas were asked for."""
    assert texts(1, "") == texts(-1, "ab") == texts(1, "yzT")
