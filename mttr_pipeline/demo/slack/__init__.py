"""The simulated Slack: incident channels of a workspace, their messages, threads, pins and bookmarks.

`Workspace` is the truth that it serves: a test or a story makes channels and messages in it, and may go on while it is served.
"""

from __future__ import annotations

from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Vendor
from mttr_pipeline.demo.slack.records import Room, Workspace
from mttr_pipeline.demo.slack.simulator import SlackSimulator

__all__ = ["SIMULATORS", "Room", "SlackSimulator", "Workspace"]

SIMULATORS = (
    Vendor(
        name="slack",
        source="slack",
        order=90,
        documented=Limit(50, 60.0),  # tier 3, that of most methods
        demo=Limit(200, 1.0),
        from_world=SlackSimulator.from_world,
    ),
)
