"""compliance.json: which incidents and phases met their targets, and which did not."""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.config.terms import Phase, Severity
from mttr_pipeline.reports.deploys import Deploys, NoDeployBefore, with_what_changed
from mttr_pipeline.reports.document import (
    Count,
    Document,
    Head,
    Instant,
    JsonObject,
    Named,
    PhaseModel,
    WindowStart,
    head,
    preceded_by,
    query,
    rows,
)
from mttr_pipeline.reports.evidence import Errors, PostMortemOf, with_evidence
from mttr_pipeline.reports.records import Records, with_records

MAX_BREACHES = 50
GOAL_PCT = 95


class Outcome(JsonObject):
    """How many incidents met their target."""

    incidents_count: Annotated[Count, Meta(description="within_target + breached: the n of compliance_pct")]
    within_target: Count
    at_risk: Annotated[Count, Meta(description="a part of within_target")]
    breached: Count
    open_breached: Annotated[Count, Meta(description="a part of breached")]
    pending: Annotated[Count, Meta(description="open and within the target so far; in no other count")]


class _NotMeasured(JsonObject):
    not_measured: Count


class Share(JsonObject):
    """Incidents within their target in percent, with the limits of its 95 percent confidence interval; null without data."""

    compliance_pct: float | None
    compliance_low_pct: float | None
    compliance_high_pct: float | None


class Missed(JsonObject):
    """Whether a target is missed more often than the goal allows, where chance is an unlikely cause."""

    miss_p: Annotated[float | None, Meta(description="exact one-sided binomial test of breached against the goal")]
    miss_q: Annotated[float | None, Meta(description="p after Benjamini-Hochberg; null = fewer than 6 incidents")]
    is_missed: Annotated[bool, Meta(description="at least 6 incidents, and miss_q below 0.05")]


class _Severity(JsonObject):
    window_start: WindowStart
    window_end: Instant | None
    severity: Severity
    service: Annotated[str | None, Meta(description="null = the whole severity")]
    team: str | None
    target_minutes: float | None
    actual_mean: float | None
    actual_median: float | None
    resolved_count: Count


class _Phase(JsonObject):
    window_start: WindowStart
    window_end: Instant | None
    phase_model: PhaseModel
    phase: Phase
    severity: Annotated[str | None, Meta(description="null = all severities")]
    target_minutes: float | None
    actual_mean: float | None
    actual_median: float | None
    finished_count: Count


@preceded_by(_Severity, Outcome, _NotMeasured, Share)
class Target(Missed):
    """How one severity, or one severity of one service, met its target."""

    status: Literal["healthy", "warning", "critical", "no_data", "no_target"]
    low_n: Annotated[bool, Meta(description="fewer than 6 incidents")]


@preceded_by(_Phase, Outcome, _NotMeasured, Share)
class PhaseTarget(Missed):
    """How one phase met its target."""

    status: Literal["healthy", "warning", "critical", "no_data"]
    low_n: Annotated[bool, Meta(description="fewer than 6 incidents")]


class BreachRow(Named):
    """An incident that took longer than its target, as its table has it."""

    status: str
    started_at: Instant
    resolved_at: Instant | None
    target_minutes: float
    actual_minutes: float
    over_minutes: float
    times_target: float | None
    is_open: bool


class Breach(BreachRow):
    """An incident that took longer than its target."""

    records: Records
    deploys: Deploys
    no_deploy_before: NoDeployBefore
    errors: Errors
    post_mortem: PostMortemOf


class Compliance(Head):
    """Incidents within their targets, and the worst breaches of the last 90 days."""

    targets: list[Target]
    phases: Annotated[list[PhaseTarget], Meta(description="empty unless a phase has a target")]
    breach_count: Annotated[Count, Meta(description="breaches of the last 90 days")]
    open_breach_count: Annotated[Count, Meta(description="breaches of the whole history that are still open")]
    worst_breaches: Annotated[
        list[Breach],
        Meta(description=f"of the last 90 days, most minutes over the target first, at most {MAX_BREACHES}"),
    ]
    open_breaches: Annotated[
        list[Breach],
        Meta(
            description=f"still open, of the whole history, most minutes over the target first, at most {MAX_BREACHES}"
        ),
    ]


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """A `Compliance`."""
    return {
        **head(con),
        "targets": targets(con),
        "phases": phases(con),
        "breach_count": query(con, f"SELECT count(*) AS n {_RECENT}")[0]["n"],
        "open_breach_count": query(con, f"SELECT count(*) AS n {_OPEN}")[0]["n"],
        "worst_breaches": _breaches(con, _RECENT),
        "open_breaches": _breaches(con, _OPEN),
    }


def targets(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """Every `Target`: per severity, and per severity and service, over each window."""
    return rows(
        con, Target, "FROM mart.target_compliance ORDER BY window_start NULLS FIRST, service NULLS FIRST, severity"
    )


def phases(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """Every `PhaseTarget`: none unless a phase has a target."""
    return rows(con, PhaseTarget, "FROM mart.phase_compliance")


def recent(targets: list[Document], part: str = "service") -> list[Document]:
    """The rows of the last 90 days that cover a whole: all services, or with `part="severity"` all severities."""
    whole = [row for row in targets if row[part] is None and row["window_start"]]
    first = min((row["window_start"] for row in whole), default=None)
    return [row for row in whole if row["window_start"] == first]


def failing(targets: list[Document], severity: str) -> list[str]:
    """The services that missed the target of a severity in the last 90 days, with their team."""
    first = min((row["window_start"] for row in targets if row["window_start"]), default=None)
    return [
        f"{row['service']}{' (' + row['team'] + ')' if row['team'] else ''}: {row['within_target']} of {row['incidents_count']}"
        for row in targets
        if (row["window_start"], row["severity"]) == (first, severity)
        and row["service"] is not None
        and row["is_missed"]
    ]


def _breaches(con: duckdb.DuckDBPyConnection, source: str) -> list[Document]:
    found = rows(con, BreachRow, f"{source} ORDER BY over_minutes DESC, incident_id LIMIT {MAX_BREACHES}")
    return with_evidence(con, with_what_changed(con, with_records(con, found)))


_OPEN = "FROM mart.target_breaches WHERE is_open"
_RECENT = """FROM mart.target_breaches
    WHERE started_at >= (SELECT min(window_start) FROM mart.target_compliance)"""
