"""SLA fields with their cycles (Jira Service Management Cloud REST API, SLA information)."""

from __future__ import annotations

from datetime import datetime, timedelta

from mttr_pipeline.demo.facts import Case, Fact
from mttr_pipeline.demo.jira.site import Json, iso_jira
from mttr_pipeline.demo.kit.wire import epoch_ms

#: Goals in hours by priority: resolution, first response.
_GOALS = {"P1": (4, 0.25), "P2": (8, 0.5), "P3": (24, 2), "P4": (48, 8), "P5": (120, 16)}


def sla(case: Case, facts: list[Fact], identity: str, name: str) -> Json:
    """An SLA field. Its clock pauses at times, so it shows less time than has passed; some issues have no cycles."""
    first = name == "Time to first response"
    goal = timedelta(hours=_GOALS[case.priority or "P3"][first])
    ends = ("acknowledged", "resolved", "duplicate") if first else ("resolved", "duplicate")
    field: Json = {"id": identity, "name": name, "_links": {}, "completedCycles": [], "ongoingCycle": None}
    field["slaDisplayFormat"] = "NEW_SLA_FORMAT"
    if case.number % 4 == 0:
        return field
    began: datetime | None = case.created
    for fact in facts:
        if began and fact.kind in ends:
            field["completedCycles"].append({**_cycle(began, fact.at, goal), "stopTime": _instant(fact.at)})
            began = None
        elif fact.kind == "reopened" and not first:
            began = fact.at
    if began:
        ongoing = {**_cycle(began, facts[-1].at, goal), "paused": False, "withinCalendarHours": True}
        field["ongoingCycle"] = ongoing
    return field


def _cycle(began: datetime, until: datetime, goal: timedelta) -> Json:
    used = (until - began) * 3 // 5
    spans = {"goalDuration": goal, "elapsedTime": used, "remainingTime": goal - used}
    return {
        "startTime": _instant(began),
        "breachTime": _instant(began + goal * 5 / 3),
        "breached": used > goal,
        **{key: {"millis": span // timedelta(milliseconds=1), "friendly": str(span)} for key, span in spans.items()},
    }


def _instant(at: datetime) -> Json:
    return {"iso8601": at.isoformat(timespec="seconds"), "jira": iso_jira(at), "epochMillis": epoch_ms(at)}
