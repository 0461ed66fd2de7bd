"""The simulated JSM Operations: one site with alerts."""

from __future__ import annotations

from datetime import datetime

from mttr_pipeline.demo.facts import uuid_with_time
from mttr_pipeline.demo.jsm.simulator import CLOUD_ID, JsmSimulator
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Tool, Vendor

__all__ = ["CLOUD_ID", "SIMULATORS", "JsmSimulator"]


def _alert_id(identity: str, serial: int, created: datetime) -> str:
    return uuid_with_time(identity, created)


ALERTS = Tool(
    name="jsm",
    source="jsm",
    watches="jsm",
    order=40,
    volume=60,
    record_id=_alert_id,
    stories={
        "auto": 0.12,
        "timeout": 0.02,
        "no_ack": 0.05,
        "reack": 0.05,
        "flap": 0.03,
        "reprioritised": 0.03,
        "monster": 0.02,
        "open": 0.05,
        "deleted": 0.02,
    },
)

SIMULATORS = (
    Vendor(
        name="jsm",
        source="jsm",
        order=30,
        # The vendor documents the mechanism but no number for every plan; this one is of the usual size.
        documented=Limit(600, 60.0),
        demo=Limit(600, 3.0),
        from_world=JsmSimulator.from_world,
        tools=(ALERTS,),
    ),
)
