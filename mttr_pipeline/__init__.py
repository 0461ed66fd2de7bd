"""Incident-recovery metrics that can be defended: extract, land, normalise, compute, check, publish."""

from importlib.metadata import PackageNotFoundError, version
from os import environ

try:
    __version__ = version("mttr-pipeline")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

# DuckDB imports numpy as soon as a working database is opened. Nothing here multiplies matrices, and the threads that its OpenBLAS
# starts for them look for work for 0.1 s before they sleep, on the cores that a pull needs.
environ.setdefault("OPENBLAS_NUM_THREADS", "1")
