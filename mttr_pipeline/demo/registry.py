"""The simulated vendors, found in the folders beside this module: each folder but `kit` offers `SIMULATORS` or `SENDERS`.

A new vendor is a new folder. The modules of the history and the server ask here and name none.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import mttr_pipeline.demo
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Sender, Tool, Vendor


def _declared(kind: str) -> list[Any]:
    """What the folders declare under a name."""
    found: list[Any] = []
    for folder in pkgutil.iter_modules(mttr_pipeline.demo.__path__, f"{mttr_pipeline.demo.__name__}."):
        if folder.ispkg and not folder.name.endswith(".kit"):
            found += getattr(import_module(folder.name), kind, ())
    return found


def _tools() -> dict[str, Tool]:
    """The tools of all vendors and senders by name, in the order of their histories."""
    tools = [tool for vendor in VENDORS for tool in vendor.tools] + [
        tool for sender in SENDERS for tool in sender.tools
    ]
    found = sorted(tools, key=lambda tool: (tool.order, tool.name))
    return {tool.name: tool for tool in found}


VENDORS: tuple[Vendor, ...] = tuple(sorted(_declared("SIMULATORS"), key=lambda vendor: (vendor.order, vendor.name)))
SENDERS: tuple[Sender, ...] = tuple(sorted(_declared("SENDERS"), key=lambda sender: sender.name))
TOOLS = _tools()

#: Which services are deployed with which tool.
DEPLOYED: dict[str, tuple[str, ...]] = {vendor.name: vendor.deploys for vendor in VENDORS if vendor.deploys}
DEPLOYED |= {sender.name: sender.deploys for sender in SENDERS if sender.deploys}
#: How many records each tool holds at the present of a default world.
VOLUMES: dict[str, int] = {name: tool.volume for name, tool in TOOLS.items()}
#: The rate limits that the vendors document.
DOCUMENTED: dict[str, Limit] = {vendor.name: vendor.documented for vendor in VENDORS}
#: The rate limits of the demonstration.
DEMO: dict[str, Limit] = {vendor.name: vendor.demo for vendor in VENDORS}
