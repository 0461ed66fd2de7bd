"""Incident-recovery metrics that can be defended: extract, land, normalise, compute, check, publish."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mttr-pipeline")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
