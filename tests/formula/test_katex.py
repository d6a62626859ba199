"""LaTeX that renders: everything that formulas are written with, in KaTeX's strict mode.

Law of this file: one process of node renders a whole list; a fault names the formula and what KaTeX says.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

import symgraph as sg
from symgraph.formula.spelling import identifier, latex_name, text_name
from tests.formula.katex import faults, why_not
from tests.formula.suite import suite
from tests.formula.test_formula_text import PIECES
from tests.formula.textbook import asked

rendered = pytest.mark.skipif(bool(why_not()), reason=why_not() or "renders")

NAMES = (
    'x x1 x_1 x__1 x_ _x my-var my_var α alpha Sigma Σ omicron ο a\\b 100% #1 $ & {} ~ ^ 50%_of_a a.b a>b <b> a\'b "q" é 变量 😀 '
    "scope W12 W_12 W1_2 1 12 _ __ theta_hat theta' λ0 µ x₁ x² lambda np math for print "
    "a_name_that_is_so_long_that_nobody_would_want_to_read_it_twice_in_one_formula"
).split() + ["a b", " ", "a  b", "tab\there", "line\nbreak"]
"""What somebody might call something."""


def test_names_have_spellings() -> None:
    for name in NAMES:
        assert text_name(name)
        assert latex_name(name).isascii()
        assert identifier(name).isidentifier()


@rendered
def test_names_render() -> None:
    wrong = faults([f"{latex_name(a)}^2 + {latex_name(b)}^\\top" for a, b in pairwise(NAMES)])
    assert not wrong, "\n".join(wrong)


@rendered
def test_pieces_render() -> None:
    found = []
    for make, given, _ in PIECES:
        sg.reset_default_graph()
        found.append(sg.formula(make(*(g() for g in given))).latex())
    wrong = faults(found)
    assert not wrong, "\n".join(wrong)


@rendered
def test_the_textbook_renders() -> None:
    found = []
    for row in suite():
        sg.reset_default_graph()
        value, wrt, leaves = row.build(sg)
        found += [sg.formula(value).latex(), sg.formula(asked(sg, row, value, wrt, leaves)).latex()]
    wrong = faults(found)
    assert not wrong, "\n".join(wrong)


@rendered
def test_faults_are_seen() -> None:
    assert len(faults([r"x^2", r"x^2^3", r"\nothing", "é"])) == 3
