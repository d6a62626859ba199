"""What is told on stderr: TF1's lines, in TF1's form: 'INFO:tensorflow:Restoring parameters from PATH'.

Law of this file: the lines go through the logger 'symgraph.tf'.  They are printed here only where nobody else listens:
a program that has configured logging gets them through its own handlers, once.
"""

from __future__ import annotations

import logging
import sys

from . import config

LOG = logging.getLogger("symgraph.tf")


class _Stderr(logging.Handler):
    """Prints on whatever `sys.stderr` is when the line is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        if LOG.parent is None or not LOG.parent.hasHandlers():
            print(self.format(record), file=sys.stderr)


if not LOG.handlers:
    _handler = _Stderr()
    _handler.setFormatter(logging.Formatter("%(levelname)s:tensorflow:%(message)s"))
    LOG.addHandler(_handler)
    LOG.setLevel(logging.INFO)


def tell(level: int, text: str) -> None:
    """Print on stderr when SYMGRAPH_DEBUG is at least `level` (what each level tells is in the table of options)."""
    if config.get("SYMGRAPH_DEBUG") >= level:
        print(text, file=sys.stderr)
