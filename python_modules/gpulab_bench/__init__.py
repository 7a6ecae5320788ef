"""Smoke benchmark of a node: train a small transformer on seeded synthetic data and measure it.

It runs on a node, under the Python (3.10 or newer) that has PyTorch, and needs nothing else.
Modules that do not need PyTorch do not import it: the document, the schema and the exit codes
work where PyTorch does not, because "PyTorch does not import" is one of the things to report.
"""

__version__ = "1.0.0"
