"""The simulated Opsgenie: one account with alerts and incidents."""

from __future__ import annotations

from datetime import datetime

from mttr_pipeline.demo.facts import uuid, uuid_with_time
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Tool, Vendor
from mttr_pipeline.demo.opsgenie.records import WEB
from mttr_pipeline.demo.opsgenie.simulator import OpsgenieSimulator

__all__ = ["SIMULATORS", "OpsgenieSimulator"]


def _alert_id(identity: str, serial: int, created: datetime) -> str:
    return uuid_with_time(identity, created)


def _incident_id(identity: str, serial: int, created: datetime) -> str:
    return uuid(identity)


ALERTS = Tool(
    name="opsgenie",
    source="opsgenie",
    watches="opsgenie",
    order=20,
    volume=200,
    record_id=_alert_id,
    stories={
        "auto": 0.15,
        "timeout": 0.02,
        "no_ack": 0.05,
        "reack": 0.04,
        "flap": 0.02,
        "reprioritised": 0.03,
        "monster": 0.01,
        "open": 0.02,
        "deleted": 0.01,
    },
    page=lambda case: f"{WEB}/alert/detail/{case.id}/details",
)

INCIDENTS = Tool(
    name="opsgenie_incident",
    source="opsgenie_incident",
    watches="opsgenie",
    order=21,
    volume=25,
    record_id=_incident_id,
    stories={"no_ack": 0.08, "open": 0.08, "monster": 0.04},
    has_close=True,
    written_share=0.95,
    impact_start_share=0.8,
    impact_start_is_creation=True,
    late_changes={"closed": ()},
    page=lambda case: f"{WEB}/incident/detail/{case.id}",
    raises="opsgenie",
)

SIMULATORS = (
    Vendor(
        name="opsgenie",
        source="opsgenie",
        order=20,
        # The vendor documents the mechanism but no number for every plan; this one is of the usual size.
        documented=Limit(600, 60.0),
        demo=Limit(600, 3.0),
        from_world=OpsgenieSimulator.from_world,
        tools=(ALERTS, INCIDENTS),
    ),
)
