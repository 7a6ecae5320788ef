"""Benchmark of a node: load its parts, train a small transformer, and measure all of it.

It runs on a node, under the Python (3.9 or newer) that has PyTorch, and needs nothing else.
Modules that do not need PyTorch do not import it: the document, the schema and the exit codes
work where PyTorch does not, because "PyTorch does not import" is one of the things to report.
"""

__version__ = "1.0.0"
