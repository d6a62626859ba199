"""The command line: `symgraph formula EXPRESSION --wrt NAME`, `symgraph check FILE`, or `python -m symgraph ...`.

Law of this file: arguments in, text out; 0 where there is an answer, 1 where it is no good one (`check` found something
missing), 2 and a message where there is none.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import symgraph

from . import __version__
from .check import report
from .facts import FACTS
from .formula.command import FUNCTIONS, Request, answer, facts_of, shape_of

_EPILOG = f"""
names:      a capital (X, W1) is a matrix; a Greek letter (lambda, mu) a number, but a column
            where it is an operand of @ or .T; any other name a column.  Equal sizes are one letter.
operators:  + - * / ** @ .T < <= > >= & | ~
functions:  {", ".join(FUNCTIONS)}
facts:      {", ".join(FACTS)}

examples:
  symgraph formula "mean((X@theta - y)**2)" --wrt theta
  symgraph formula "sum((X@w - y)**2)/(2*m) + lambda*sum(w**2)" --wrt w --shape X=m,n --numpy
  symgraph formula "(x - mu).T @ inv(S) @ (x - mu) + logdet(S)" --wrt mu --wrt S --assume S=symmetric --latex
  symgraph formula "sum(log(1 + exp(-y*(X@w))))" --wrt w --derivation
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("symgraph", description="Formulas of tensors and their derivatives.")
    parser.add_argument("--version", action="version", version=f"symgraph {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    f = commands.add_parser(
        "formula",
        help="an expression, or its derivatives, as a formula",
        description="An expression, or its derivatives, as a formula.  The expression is parsed and never evaluated.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    f.add_argument("expression", help="in Python's notation")
    f.add_argument("--wrt", action="append", default=[], metavar="NAME", help="derive by this name (again for others)")
    f.add_argument(
        "--shape", action="append", default=[], metavar="NAME=m,n", help="a name's shape: numbers or letters; NAME= for a number"
    )
    f.add_argument("--assume", action="append", default=[], metavar="NAME=FACT", help="what is known of a name's values")
    kind = f.add_mutually_exclusive_group()
    kind.add_argument("--hessian", dest="kind", action="store_const", const="hessian", help="second derivatives")
    kind.add_argument("--derivation", dest="kind", action="store_const", const="derivation", help="the steps, with their reasons")
    style = f.add_mutually_exclusive_group()
    style.add_argument("--latex", dest="style", action="store_const", const="latex", help="LaTeX instead of text")
    style.add_argument("--numpy", dest="style", action="store_const", const="numpy", help="a NumPy function instead of text")
    f.set_defaults(kind="gradient", style="text")
    c = commands.add_parser(
        "check",
        help="which names of TensorFlow 1 a program uses, and which are missing",
        description="Which names of TensorFlow 1 a program uses, and which are missing here, with the nearest thing that works. "
        "The program is read and never run.  Exit status 1 if a name is missing.",
    )
    c.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a program (.py) or a notebook (.ipynb)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    parser = _parser()
    words = sys.argv[1:] if arguments is None else arguments
    option = re.compile(r"--?|-h|--[a-z]+(=.*)?")
    given = parser.parse_args([w if w[:1] != "-" or option.fullmatch(w) else f" {w}" for w in words])  # -sum(x) is an expression
    if given.command == "check":
        return _check(given.files)
    if given.kind != "gradient" and not given.wrt:
        parser.error(f"--{given.kind} needs --wrt NAME")
    if given.kind == "derivation" and given.style == "numpy":
        parser.error("a derivation is no NumPy function")
    try:
        shapes, facts = dict(map(shape_of, given.shape)), dict(map(facts_of, given.assume))
        print(answer(Request(given.expression.strip(), given.wrt, shapes, facts, given.kind, given.style)))
    except ValueError as e:
        print(f"symgraph: {e}", file=sys.stderr)
        return 2
    return 0


def _check(files: Sequence[Path]) -> int:
    worst = 0
    for path in files:
        try:
            text, fine = report(path, symgraph)
        except (OSError, SyntaxError, ValueError, LookupError) as e:
            print(f"symgraph: {path}: {e}", file=sys.stderr)
            worst = 2
        else:
            print(text)
            worst = max(worst, not fine)
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
