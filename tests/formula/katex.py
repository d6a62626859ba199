"""Rendering LaTeX with KaTeX in strict mode, in one process of node.

Law of this file: it finds the npm package `katex` in NODE_PATH, beside these tests, or where npm installs globally; where
node or the package is missing, `why_not` says how to get it, and nothing is rendered.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

_SCRIPT = """
const katex = require("katex");
const formulas = JSON.parse(require("fs").readFileSync(0, "utf8"));
const faults = formulas.map(formula => {
  try { katex.renderToString(formula, {strict: "error", throwOnError: true, displayMode: true}); return null; }
  catch (fault) { return fault.message; }
});
console.log(JSON.stringify(faults));
"""


@cache
def _folders() -> tuple[str, ...]:
    """Where node looks for packages."""
    here = Path(__file__).resolve().parent
    found = [*os.environ.get("NODE_PATH", "").split(os.pathsep), *(str(p / "node_modules") for p in (here, *here.parents[:2]))]
    npm = shutil.which("npm")
    if npm:
        ran = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, timeout=60)
        found.append(ran.stdout.strip())
    return tuple(f for f in found if f and (Path(f) / "katex").is_dir())


def why_not() -> str:
    """Why nothing can be rendered here, '' if it can."""
    if not shutil.which("node"):
        return "LaTeX was not rendered: there is no node (install Node.js, then `npm install --prefix tests/formula katex`)"
    if not _folders():
        return "LaTeX was not rendered: there is no npm package katex (`npm install --prefix tests/formula katex`, or set NODE_PATH)"
    return ""


def faults(formulas: list[str]) -> list[str]:
    """What KaTeX says against each formula that it does not render."""
    environment = os.environ | {"NODE_PATH": os.pathsep.join(_folders())}
    ran = subprocess.run(
        ["node", "-e", _SCRIPT],
        input=json.dumps(formulas),
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=600,
    )
    return [f"{formula}\n  {fault}" for formula, fault in zip(formulas, json.loads(ran.stdout), strict=True) if fault]
