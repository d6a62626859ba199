"""Writes chapter.ipynb, the scripts of this folder as one notebook.

Law of this file: the scripts are the source.  A ruler in a script begins a cell; its title and the comment below it
become text, the rest code.  A `print(tf...)` that ends a cell gives way to what it prints, which a notebook draws.

    python examples/make_notebook.py
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOTEBOOK = HERE / "chapter.ipynb"
SECTIONS = {
    "graph_and_session": "Graphs and sessions",
    "linear_regression": "Linear regression",
    "placeholders": "Placeholders",
    "training_loop": "Training loops",
    "saving": "Saving and restoring",
    "training_curves": "Training curves",
    "name_scopes": "Name scopes",
    "modularity": "Modularity",
}
TITLE = """# Up and running

Graphs, training, saving, TensorBoard, scopes and shared variables. Every cell can be run again. This notebook is
written by `make_notebook.py` from the scripts beside it; `moons.py` puts all of it together in an exercise."""
RULER = re.compile(r"^# -{8,} (?P<title>.+)\n(?P<text>(?:# .*\n)*)", re.MULTILINE)


def notebook() -> str:
    """The text of the notebook: format 4.5, no outputs."""
    cells = [_cell("title", "markdown", TITLE)]
    for script, title in SECTIONS.items():
        for number, (text, code) in enumerate(_pieces((HERE / f"{script}.py").read_text(encoding="utf-8"), title)):
            cells.append(_cell(f"{script}-{number}-text", "markdown", text))
            cells.append(_cell(f"{script}-{number}", "code", code))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False) + "\n"


def _pieces(source: str, title: str) -> list[tuple[str, str]]:
    """(text, code) for the head of a script and for each of its rulers."""
    rulers = list(RULER.finditer(source))
    ends = [ruler.start() for ruler in rulers] + [len(source)]
    head = source[: ends[0]]
    docstring = ast.parse(head).body[0]
    said = (ast.get_docstring(ast.parse(head), clean=False) or "").split("\n\n    ")[0].strip()
    pieces = [(f"## {title}\n\n{said}", "\n".join(head.splitlines()[docstring.end_lineno :]))]
    for ruler, end in zip(rulers, ends[1:], strict=True):
        heading = f"### {ruler['title'][0].upper()}{ruler['title'][1:]}"
        text = " ".join(line.removeprefix("# ") for line in ruler["text"].splitlines())
        pieces.append((f"{heading}\n\n{text}".strip(), _shown(source[ruler.end() : end])))
    return pieces


def _shown(code: str) -> str:
    """`code`, its last `print(tf...)` taken off where that is all that it ends with."""
    match ast.parse(code).body[-1]:
        case ast.Expr(ast.Call(func=ast.Name("print"), args=[ast.Call() as shown], keywords=[])) as last:
            text = ast.unparse(shown)
            if text.startswith("tf."):
                return "\n".join([*code.splitlines()[: last.lineno - 1], text])
    return code


def _cell(name: str, kind: str, source: str) -> dict[str, object]:
    code = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source.strip().splitlines(keepends=True), **code}


if __name__ == "__main__":
    NOTEBOOK.write_text(notebook(), encoding="utf-8")
    print(f"{NOTEBOOK.name}: {notebook().count('cell_type')} cells")
