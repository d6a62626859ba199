"""Whole training loops against the libraries that people train with; `python -m profiling loops` runs them.

A workload is a file: data, the loss in each library's own words, and NumPy's loop by hand.  `problem.py` says what a
workload is, `sides.py` how each library loops over it, `suite.py` how they are compared, `alone.py` what one of them
costs in a process of its own.  Nothing is imported here, so `alone.py` can time imports.
"""
