"""The part of comparisons.json about downtime: availability, which incidents took it, and the abandoned incidents.

What belongs here: the types and the rows. What does not: how the page shows them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.config.terms import Severity
from mttr_pipeline.reports.document import (
    Count,
    Document,
    Instant,
    JsonObject,
    Named,
    WindowStart,
    by_name,
    columns,
    query,
    rows,
)
from mttr_pipeline.reports.records import Records, with_records

MAX_ABANDONED = 20
MAX_CAUSES = 3


class Downtime(JsonObject):
    """Minutes in which a service was down; overlapping incidents count once, by the largest weight."""

    scope: Literal["all", "service"]
    scope_value: str
    window_start: WindowStart
    window_end: Instant | None
    n: Count
    n_open: Count
    n_abandoned: Annotated[Count, Meta(description="not part of n: down until their last event, and counted apart")]
    n_weightless: Annotated[Count, Meta(description="of n: incidents that take nothing down")]
    n_invalid: Count
    window_minutes: float | None
    downtime_minutes: float | None
    weighted_downtime_minutes: float | None
    weighted_downtime_with_abandoned_minutes: float | None
    availability_pct: float | None
    availability_with_abandoned_pct: float | None
    availability_target_pct: float | None
    error_budget_minutes: float | None
    error_budget_used_pct: float | None
    error_budget_used_with_abandoned_pct: float | None
    user_minutes: float | None
    n_users_known: Count
    revenue_impact: Annotated[
        float | None, Meta(description="of outages that start in the window; null = none states one")
    ]
    n_revenue_known: Count


class DowntimeIncident(JsonObject):
    """What one incident took of a service in the last 30 days. No minute is counted twice."""

    service: str
    window_start: Instant
    window_end: Instant
    place: Count
    incident_id: str
    source: str
    external_id: str
    key: str | None
    title: str | None
    url: str | None
    severity: Severity
    started_at: Instant
    weighted_downtime_minutes: float
    error_budget_used_pct: float | None
    is_abandoned: bool


class AbandonedRow(Named):
    """An open incident that nobody works on any more, as its table has it."""

    started_at: Instant
    last_event_at: Instant
    age_days: float
    quiet_days: float


class AbandonedIncident(AbandonedRow):
    """An open incident that nobody works on any more."""

    records: Records


class Weight(JsonObject):
    """The part of a service that an incident takes down, 0 to 1."""

    severity: Severity
    service: Annotated[str | None, Meta(description="null = every service without a weight of its own")]
    weight: float


class DowntimeRules(JsonObject):
    """The settings behind downtime."""

    weights: list[Weight]
    count_noise: Annotated[
        bool, Meta(description="whether incidents count that resolved automatically and that nobody acknowledged")
    ]
    abandoned_days: float


def rules(con: duckdb.DuckDBPyConnection) -> Document:
    """The `DowntimeRules` in force."""
    run = query(con, "SELECT count_noise, abandoned_us / 8.64e10 AS abandoned_days FROM config.run")[0]
    weights = query(
        con,
        """SELECT severity, service, weight / 1000 AS weight FROM core.downtime_weights
        ORDER BY service NULLS FIRST, severity""",
    )
    return {"weights": weights, **run}


def availability(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """A `Downtime` per service and for all services together, of every window."""
    return rows(con, Downtime, f"FROM mart.downtime ORDER BY scope, {by_name('scope_value')}, window_start NULLS FIRST")


def causes(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """The `DowntimeIncident`s of the last 30 days: per service those that took most."""
    return query(
        con,
        f"""SELECT {columns(DowntimeIncident)} FROM mart.downtime_incidents
        WHERE place <= {MAX_CAUSES}
            AND epoch_us(window_start) = (SELECT epoch_us(window_start) FROM core.target_windows WHERE name = 'last30')
        ORDER BY weighted_downtime_minutes DESC, service, place""",
    )


def abandoned(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """The `AbandonedIncident`s that have been quiet for the longest time."""
    return with_records(con, rows(con, AbandonedRow, f"FROM mart.abandoned_incidents LIMIT {MAX_ABANDONED}"))


def abandoned_count(con: duckdb.DuckDBPyConnection) -> int:
    """How many there are."""
    count: int = query(con, "SELECT count(*) AS n FROM mart.abandoned_incidents")[0]["n"]
    return count


def recent(found: list[Document]) -> list[Document]:
    """The rows of the last 30 days; none where the history has no such window."""
    latest = max((row["window_start"] for row in found if row["window_start"]), default=None)
    return [row for row in found if row["window_start"] == latest and latest]
