"""symgraph's formulas beside the book's, the longest first: `PYTHONPATH=. python tests/formula/report.py [word ...]`.

Law of this file: it prints what `suite.measure` finds and decides nothing.  Words pick rows whose names contain one.
"""

from __future__ import annotations

import sys

from tests.formula.suite import measure, suite, thresholds


def report(words: list[str]) -> str:
    """For each row its name, symgraph's operators, the book's, their ratio, the milliseconds, and both texts; then the whole."""
    found = [measure(row) for row in suite() if not words or any(w.lower() in row.name.lower() for w in words)]
    found.sort(key=lambda m: (m.ops is None, -m.ratio if m.ops is not None else 0, m.loss.name))
    lines = []
    for m in found:
        facts = "".join(f"; {name} {', '.join(fs)}" for name, fs in m.loss.facts.items())
        lines.append(f"{m.ratio:5.2f}  {m.ops} : {m.book}  {m.loss.name}  [{m.loss.kind} in {m.loss.wrt}{facts}]  {m.seconds * 1e3:.0f} ms")
        lines += [f"         {line}" for line in m.text.splitlines()]
        parts = "".join(f"; {name} = {text}" for name, text in m.loss.where.items())
        lines.append(f"   book  {m.loss.gradient}{parts}")
    if any(m.ops is not None for m in found):
        lines += ["", "; ".join(f"{name} {value:.4g}" for name, value in thresholds(found).items())]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(sys.argv[1:]))
