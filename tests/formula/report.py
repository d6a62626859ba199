"""symgraph's formulas beside the book's, the longest first: `PYTHONPATH=. python tests/formula/report.py [word ...]`.

Law of this file: it prints what `suite.measure` finds and decides nothing.  Words pick rows whose names contain one; a
number hides rows whose ratio is not above it: `report.py 1.25 softmax`.
"""

from __future__ import annotations

import sys

from tests.formula.suite import measure, suite, thresholds


def report(words: list[str]) -> str:
    """For each row its name, symgraph's operators, the book's, their ratio, the milliseconds, and both texts; then the whole."""
    bounds = [float(w) for w in words if w.replace(".", "", 1).isdigit()]
    names = [w.lower() for w in words if not w.replace(".", "", 1).isdigit()]
    found = [measure(row) for row in suite() if not names or any(w in row.name.lower() for w in names)]
    found.sort(key=lambda m: (m.ops is None, -m.ratio if m.ops is not None else 0, m.loss.name))
    lines = []
    for m in found:
        if bounds and not m.ratio > max(bounds):
            continue
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
