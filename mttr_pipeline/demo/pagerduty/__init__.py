"""The simulated PagerDuty: one account with incidents, log entries and notes."""

from __future__ import annotations

from datetime import datetime, timedelta

from mttr_pipeline.demo.facts import code
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Tool, Vendor
from mttr_pipeline.demo.pagerduty.records import WEB
from mttr_pipeline.demo.pagerduty.refusals import PagerDutyError
from mttr_pipeline.demo.pagerduty.simulator import PagerDutySimulator

__all__ = ["SIMULATORS", "PagerDutyError", "PagerDutySimulator"]


def _record_id(identity: str, serial: int, created: datetime) -> str:
    return "Q" + code(identity, 13)


INCIDENTS = Tool(
    name="pagerduty",
    source="pagerduty",
    watches="pagerduty",
    order=10,
    volume=350,
    record_id=_record_id,
    tick=timedelta(seconds=1),
    stories={
        "auto": 0.10,
        "timeout": 0.02,
        "no_ack": 0.03,
        "reack": 0.04,
        "reopened": 0.03,
        "recurred": 0.012,
        "merged": 0.04,
        "flap": 0.02,
        "moved": 0.015,
        "reprioritised": 0.03,
        "no_priority": 0.06,
        "monster": 0.012,
        "open": 0.012,
        "deleted": 0.006,
    },
    page=lambda case: f"{WEB}/incidents/{case.id}",
    late_changes={"reopened": (), "merged": (), "service": ("Accounts", "Checkout")},
)

SIMULATORS = (
    Vendor(
        name="pagerduty",
        source="pagerduty",
        order=10,
        # REST docs, Rate Limits: 960 a minute for each key.
        documented=Limit(960, 60.0),
        demo=Limit(960, 3.0),
        from_world=PagerDutySimulator.from_world,
        tools=(INCIDENTS,),
    ),
)
