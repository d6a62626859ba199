"""`python -m profiling.page results.json` writes measured tables into docs/performance.md.

Law of this file: the page's prose is written by hand; between a line `<!-- NAME -->` and the line `<!-- end of NAME -->` stands
what was measured, from the JSON that `python -m profiling loops growth cuda --full --json results.json` wrote.  What is not in it stays;
the machine is that of loops and growth, since the table of `cuda` names its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from . import cuda, growth
from .loops import suite as loops

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
TABLES = {"loops": loops.markdown, "growth": growth.markdown, "cuda": cuda.markdown}


def filled(page: str, results: dict[str, Any]) -> str:
    """The page with the tables of these results; a table that was not measured stays.  Raises ValueError when a marker is missing."""
    parts = {name: table(results["workloads"][name]) for name, table in TABLES.items() if name in results["workloads"]}
    if {"loops", "growth"} & parts.keys():
        parts["machine"] = results["machine"]
    for name, inside in parts.items():
        head, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- end of {name} -->\n")
        if not begin or not end:
            raise ValueError(f"the page has no lines <!-- {name} --> and <!-- end of {name} -->")
        page = f"{head}{begin}\n{inside}\n\n{end}{tail}"
    return page


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m profiling.page results.json")
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if results["quick"]:
        sys.exit("those results were taken with --quick or --check, which is not for quoting")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
