"""delivery.json: deploys, the five delivery figures, and what changed before the worst incidents.

The names are those of DORA (https://dora.dev/guides/dora-metrics/). Nothing is compared by a test, so no figure is a
verdict.
"""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.reports.deploys import Deploys, with_deploys
from mttr_pipeline.reports.document import (
    Count,
    Document,
    Head,
    Instant,
    JsonObject,
    Named,
    WindowStart,
    by_name,
    columns,
    head,
    query,
    rows,
)
from mttr_pipeline.reports.evidence import Errors, PostMortemOf, with_evidence

MAX_WORST = 10


class DeploymentFrequency(JsonObject):
    """Production deploys that ran, per day."""

    deploys_per_day: Annotated[float | None, Meta(description="null = the window has less than a day of known deploys")]
    days: Annotated[float | None, Meta(description="length of the window from the first production deploy of all on")]
    n: Annotated[Count, Meta(description="deploys, rollbacks included")]


class ChangeLeadTime(JsonObject):
    """Median minutes from the author date of the earliest commit that a deploy brings out first, to its finish."""

    median_minutes: float | None
    n: Annotated[Count, Meta(description="deploys whose commits and finish are known")]


class ChangeFailRate(JsonObject):
    """Deploys that introduced an incident or were rolled back, in percent, with 95 percent limits (Wilson)."""

    pct: float | None
    low_pct: float | None
    high_pct: float | None
    failed_deploys: Count
    n: Annotated[Count, Meta(description="deploys")]


class FailedDeploymentRecoveryTime(JsonObject):
    """Kaplan-Meier median of the minutes from the finish of a failed deploy until its incidents were mitigated, else resolved."""

    median_minutes: Annotated[float | None, Meta(description="null = not reached, or no failed deploy")]
    median_low: float | None
    median_high: float | None
    text: Annotated[str | None, Meta(description="the median as text; `> 812 min` where it is not reached")]
    n_recovered: Annotated[Count, Meta(description="deploys that were recovered from")]
    n_open: Annotated[Count, Meta(description="deploys with an incident that is still open: censored")]


class DeploymentReworkRate(JsonObject):
    """Deploys that repair, in percent, with 95 percent limits (Wilson)."""

    pct: Annotated[float | None, Meta(description="null = no deploy carries what a repair is recognised by")]
    low_pct: float | None
    high_pct: float | None
    rework_deploys: int | None
    n: Annotated[Count, Meta(description="deploys")]


class DeployToDetect(JsonObject):
    """Median minutes from the finish of the deploy that introduced an incident to its detection."""

    median_minutes: float | None
    n: Annotated[Count, Meta(description="pairs of incident and deploy")]
    n_detected_before_deploy: Annotated[
        Count, Meta(description="pairs in which the clocks disagree; they are not in n")
    ]


class Linked(JsonObject):
    """How many incidents a deploy introduced, and by which method that is known."""

    pct: float | None
    linked: Count
    explicit: Annotated[Count, Meta(description="of linked: a person or a tool says so")]
    window: Annotated[Count, Meta(description="of linked: the latest deploy of the service within the window before")]
    n: Annotated[Count, Meta(description="incidents that began in the window, from the first production deploy on")]


class Figures(JsonObject):
    """The delivery figures of one member and window."""

    scope: Literal["all", "service", "team"]
    scope_value: str
    window_start: WindowStart
    window_end: Instant | None
    deployment_frequency: DeploymentFrequency
    change_lead_time: ChangeLeadTime
    change_fail_rate: ChangeFailRate
    failed_deployment_recovery_time: FailedDeploymentRecoveryTime
    deployment_rework_rate: DeploymentReworkRate
    deploy_to_detect: DeployToDetect
    incidents: Linked


class Week(JsonObject):
    """Production deploys of one calendar week."""

    window_start: Instant
    window_end: Instant
    is_partial: bool
    deploys: Count
    failed_deploys: Count
    other_deploys: Count


class EnvironmentOfDeploys(JsonObject):
    """An environment that deploys go to, and whether it counts as production."""

    source: str
    environment: Annotated[str | None, Meta(description="null = the record names none")]
    is_production: bool
    is_mapped: bool
    setting: Annotated[str | None, Meta(description="line of mttr.toml that says so; null = a default, or nothing")]
    deploys: Count


class IncidentRow(Named):
    """An incident that a deploy introduced, as its table has it."""

    started_at: Instant
    resolve_minutes: Annotated[float | None, Meta(description="null = open, or over at an unknown time")]
    is_open: bool


class WorstIncident(IncidentRow):
    """One of the worst incidents that a deploy introduced."""

    deploys: Deploys
    errors: Errors
    post_mortem: PostMortemOf


class Delivery(Head):
    """Deploys, the five delivery figures, and what changed before the worst incidents. Empty lists: no deploy is known."""

    window_minutes: Annotated[
        float, Meta(description="setting: a deploy that finished this long before an incident may have introduced it")
    ]
    figures: Annotated[list[Figures], Meta(description="of all, each service and each team, per window")]
    weeks: Annotated[list[Week], Meta(description="of the last 90 days; empty without a production deploy")]
    environments: list[EnvironmentOfDeploys]
    worst_incidents: Annotated[
        list[WorstIncident],
        Meta(
            description=f"of the last 90 days, linked to a deploy: the most severe first, then the longest, at most {MAX_WORST}"
        ),
    ]


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """A `Delivery`."""
    return {
        **head(con),
        "window_minutes": query(con, "SELECT deploy_window_us / 6e7 AS minutes FROM config.run")[0]["minutes"],
        "figures": [_figures(row) for row in query(con, _ROWS)],
        "weeks": rows(con, Week, "FROM mart.delivery_weeks ORDER BY window_start"),
        "environments": rows(
            con, EnvironmentOfDeploys, "FROM mart.deploy_environments ORDER BY source, deploys DESC, environment"
        ),
        "worst_incidents": with_evidence(con, with_deploys(con, query(con, _WORST))),
    }


def of_all(con: duckdb.DuckDBPyConnection) -> Document | None:
    """The figures of all services and teams in the last 30 days; None where no deploy is known."""
    return next((row for row in recent([_figures(row) for row in query(con, _ROWS)]) if row["scope"] == "all"), None)


def warnings(con: duckdb.DuckDBPyConnection) -> list[str]:
    """What keeps deploys out of these figures or links, in words with its numbers."""
    return [f"{row['source']}: {row['n']:,} of {row['total']:,} {row['meaning']}" for row in query(con, _WARNINGS)]


def recent(figures: list[Document]) -> list[Document]:
    """The rows of the last 30 days; none without a deploy."""
    latest = max((row["window_start"] for row in figures if row["window_start"]), default=None)
    return [row for row in figures if row["window_start"] == latest and latest]


def numbers(row: Document) -> Document:
    """The five figures of a row and what they are made of, for plots from night to night."""
    recovery = row["failed_deployment_recovery_time"]
    return {
        "deploys": row["deployment_frequency"]["n"],
        "deployment_frequency_per_day": row["deployment_frequency"]["deploys_per_day"],
        "change_lead_time_median_minutes": row["change_lead_time"]["median_minutes"],
        "change_lead_time_n": row["change_lead_time"]["n"],
        "change_fail_rate_pct": row["change_fail_rate"]["pct"],
        "failed_deploys": row["change_fail_rate"]["failed_deploys"],
        "failed_deployment_recovery_time_median_minutes": recovery["median_minutes"],
        "failed_deployment_recovery_time_n": recovery["n_recovered"],
        "failed_deployment_recovery_time_open": recovery["n_open"],
        "deployment_rework_rate_pct": row["deployment_rework_rate"]["pct"],
        "incidents_linked_to_a_deploy": row["incidents"]["linked"],
        "incidents_linked_to_a_deploy_pct": row["incidents"]["pct"],
    }


def _figures(row: Document) -> Document:
    """One object per figure, each with its n."""
    return {
        **{name: row[name] for name in ("scope", "scope_value", "window_start", "window_end")},
        "deployment_frequency": {**_same(row, "deploys_per_day", "days"), "n": row["deploys"]},
        "change_lead_time": {"median_minutes": row["lead_time_median_minutes"], "n": row["n_lead_time"]},
        "change_fail_rate": {
            **_share(row, "change_failure"),
            **_same(row, "failed_deploys"),
            "n": row["deploys"],
        },
        "failed_deployment_recovery_time": {
            "median_minutes": row["recovery_median_minutes"],
            "median_low": row["recovery_median_low"],
            "median_high": row["recovery_median_high"],
            "text": row["recovery_text"],
            "n_recovered": row["n_recovered"],
            "n_open": row["n_recovery_open"],
        },
        "deployment_rework_rate": {**_share(row, "rework"), **_same(row, "rework_deploys"), "n": row["deploys"]},
        "deploy_to_detect": {
            "median_minutes": row["deploy_to_detect_median_minutes"],
            "n": row["n_deploy_to_detect"],
            **_same(row, "n_detected_before_deploy"),
        },
        "incidents": {
            "pct": row["link_pct"],
            "linked": row["n_linked"],
            "explicit": row["n_explicit"],
            "window": row["n_window"],
            "n": row["n_incidents"],
        },
    }


def _same(row: Document, *names: str) -> Document:
    return {name: row[name] for name in names}


def _share(row: Document, name: str) -> Document:
    return {"pct": row[f"{name}_pct"], "low_pct": row[f"{name}_low_pct"], "high_pct": row[f"{name}_high_pct"]}


_ROWS = f"FROM mart.delivery ORDER BY scope, {by_name('scope_value')}, window_start NULLS FIRST"
_WARNINGS = """SELECT source, n, total, meaning FROM mart.data_quality
    WHERE status = 'warn' AND (dq_check = 'unmapped_environment' OR dq_check IN (SELECT dq_check FROM figures.findings_deploys))
    ORDER BY dq_check, source"""
_WORST = f"""WITH linked AS (
        SELECT i.incident_id, i.source, i.external_id, i.key, i.title, i.url, i.severity, coalesce(i.service, 'unknown') AS service,
            coalesce(i.team, 'unknown') AS team, i.started_at, i.resolve_minutes,
            i.resolved_at IS NULL AND i.closed_at IS NULL AND NOT status_is_over(i.status) AS is_open
        FROM mart.incidents AS i
        SEMI JOIN mart.incident_deploys AS l ON l.incident_id = i.incident_id
        CROSS JOIN config.run AS run
        WHERE epoch_us(i.started_at) >= epoch_us(run.as_of - INTERVAL 90 DAY)
    )
    SELECT {columns(IncidentRow)}
    FROM linked
    ORDER BY severity, is_open DESC, resolve_minutes DESC NULLS LAST, incident_id
    LIMIT {MAX_WORST}"""
