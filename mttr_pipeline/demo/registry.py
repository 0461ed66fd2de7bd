"""The simulated vendors, found in the folders beside this module: each folder but `kit` offers `SIMULATORS`.

A new vendor is a new folder. The modules of the history and the server ask here and name none.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

import mttr_pipeline.demo
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Tool, Vendor


def _vendors() -> tuple[Vendor, ...]:
    """What the folders declare, in the declared order."""
    found: list[Vendor] = []
    for folder in pkgutil.iter_modules(mttr_pipeline.demo.__path__, f"{mttr_pipeline.demo.__name__}."):
        if folder.ispkg and not folder.name.endswith(".kit"):
            found += import_module(folder.name).SIMULATORS
    return tuple(sorted(found, key=lambda vendor: (vendor.order, vendor.name)))


def _tools() -> dict[str, Tool]:
    """The tools of all vendors by name, in the order of their histories."""
    found = sorted((tool for vendor in VENDORS for tool in vendor.tools), key=lambda tool: (tool.order, tool.name))
    return {tool.name: tool for tool in found}


VENDORS = _vendors()
TOOLS = _tools()

#: How many records each tool holds at the present of a default world.
VOLUMES: dict[str, int] = {name: tool.volume for name, tool in TOOLS.items()}
#: The rate limits that the vendors document.
DOCUMENTED: dict[str, Limit] = {vendor.name: vendor.documented for vendor in VENDORS}
#: The rate limits of the demonstration.
DEMO: dict[str, Limit] = {vendor.name: vendor.demo for vendor in VENDORS}
