"""Measurements that the library's speed claims stand on; `python -m profiling` lists and runs them."""
