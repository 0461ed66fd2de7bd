"""The simulated Jira: a Cloud service desk and an old Data Center instance."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from mttr_pipeline.demo.jira.simulator import JiraSimulator
from mttr_pipeline.demo.jira.site import HELP, PROJECTS, SITES, Flavour
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.vendor import Tool, Vendor

__all__ = ["SIMULATORS", "Flavour", "JiraSimulator"]

#: What counts as acknowledgement: a person as assignee, or the first status in progress.
_TAKEN_BY = ("acknowledged", "investigating", "root_cause", "mitigated")
_LATE_CHANGES: dict[str, tuple[str, ...]] = {"reopened": (), "moved": (HELP[1],), "retyped": ("request",)}


def _cloud_id(identity: str, serial: int, created: datetime) -> str:
    return str(10_200 + serial)


def _data_center_id(identity: str, serial: int, created: datetime) -> str:
    return str(40_200 + serial)


CLOUD = Tool(
    name="jira",
    source="jira",
    watches="jira",
    page=lambda case: f"{SITES['cloud']}/browse/{PROJECTS['cloud'][1]}-{case.number}",
    order=30,
    volume=85,
    record_id=_cloud_id,
    stories={
        "reopened": 0.05,
        "recurred": 0.03,
        "duplicate": 0.05,
        "false_alarm": 0.05,
        "reprioritised": 0.04,
        "chatty": 0.03,
        "monster": 0.03,
        "open": 0.04,
        "request": 0.12,
        "deleted": 0.01,
    },
    is_desk=True,
    has_close=True,
    written_share=0.95,
    impact_start_share=0.8,
    cost_share=0.6,
    declares_major=True,
    late_changes=_LATE_CHANGES,
    taken_by=_TAKEN_BY,
    stages=("investigating", "root_cause", "mitigated"),
    # Only the responders of a major incident include a team.
    names_team=False,
)

DATA_CENTER = Tool(
    name="jira-dc",
    source="jira",
    watches="jira-dc",
    page=lambda case: f"{SITES['dc']}/browse/{PROJECTS['dc'][1]}-{case.number}",
    order=31,
    volume=35,
    record_id=_data_center_id,
    stories={
        "reopened": 0.06,
        "recurred": 0.03,
        "duplicate": 0.06,
        "false_alarm": 0.06,
        "reprioritised": 0.03,
        "monster": 0.03,
        "open": 0.06,
    },
    is_desk=True,
    has_close=True,
    written_share=0.95,
    cost_share=0.6,
    late_changes=_LATE_CHANGES,
    taken_by=_TAKEN_BY,
    # The classic workflow has no status for a found cause.
    stages=("investigating", "mitigated"),
    names_team=False,
    has_severity=True,
)

# The vendor documents the mechanism but no number for every plan; this one is of the usual size.
_DOCUMENTED, _DEMO = Limit(600, 60.0), Limit(600, 3.0)

SIMULATORS = (
    Vendor(
        name="jira",
        source="jira",
        order=40,
        documented=_DOCUMENTED,
        demo=_DEMO,
        from_world=JiraSimulator.from_world,
        tools=(CLOUD,),
    ),
    # After Cloud: both set JIRA_URL, and the Cloud site is the one offered.
    Vendor(
        name="jira-dc",
        source="jira",
        order=41,
        documented=_DOCUMENTED,
        demo=_DEMO,
        from_world=partial(JiraSimulator.from_world, flavour="dc"),
        tools=(DATA_CENTER,),
    ),
)
