"""comparisons.json: severities, services and teams side by side."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.config.terms import Phase
from mttr_pipeline.reports import downtime
from mttr_pipeline.reports.document import (
    Count,
    Document,
    Head,
    Instant,
    JsonObject,
    PhaseModel,
    Survival,
    WindowStart,
    by_name,
    columns,
    head,
    phase_model,
    preceded_by,
    query,
    rows,
)
from mttr_pipeline.reports.downtime import (
    MAX_ABANDONED,
    MAX_CAUSES,
    AbandonedIncident,
    Downtime,
    DowntimeIncident,
    DowntimeRules,
)

DIMENSIONS = ("severity", "service", "team")


class Change(JsonObject):
    """Durations of the last 30 days against those of the 30 days before."""

    window_start: Instant
    window_end: Instant
    previous_start: Instant
    n: Count
    n_events: Count
    n_open: Count
    previous_n: Count
    previous_n_events: Count
    previous_n_open: Count
    km_median: float | None
    km_median_low: float | None
    km_median_high: float | None
    previous_km_median: float | None
    previous_km_median_low: float | None
    previous_km_median_high: float | None
    method: Literal["hodges_lehmann", "rmst_ratio"] | None
    horizon_minutes: float | None
    ratio: Annotated[float | None, Meta(description="current / previous duration; below 1 is faster")]
    ratio_low: float | None
    ratio_high: float | None
    log_rank_p: float | None
    q: Annotated[float | None, Meta(description="p after Benjamini-Hochberg")]
    smallest_detectable_ratio: float | None
    verdict: Literal["faster", "slower", "no detectable change", "not enough data"]
    is_mixed: Annotated[bool, Meta(description="the ratio contradicts the verdict")]
    n_abandoned: Annotated[Count, Meta(description="those of n_open that are abandoned")]
    previous_n_abandoned: Count
    q_without_abandoned: float | None
    verdict_without_abandoned: Literal["faster", "slower", "no detectable change", "not enough data"]
    hangs_on_abandoned: Annotated[bool, Meta(description="without the abandoned incidents the verdict is another one")]
    n_before_history: Annotated[
        Count, Meta(description="incidents left out: they began before the complete history of their source")
    ]
    previous_n_before_history: Count
    low_n: bool


class Frequency(JsonObject):
    """How often incidents begin."""

    window_start: Instant
    window_end: Instant
    previous_start: Instant
    n: Count
    n_current: Count
    n_previous: Count
    current_minutes: Annotated[float | None, Meta(description="minutes of the window that the history covers")]
    previous_minutes: float | None
    rate_ratio: float | None
    rate_ratio_low: float | None
    rate_ratio_high: float | None
    p: float | None
    q: float | None
    verdict: Literal["more often", "less often", "no detectable change", "not enough data"]
    mtbf_minutes: float | None
    mtbf_low_minutes: float | None
    mtbf_high_minutes: float | None
    mtbf_current_minutes: float | None
    mtbf_current_low_minutes: float | None
    mtbf_current_high_minutes: float | None
    low_n: bool


class PhaseShare(JsonObject):
    """The part that a phase has in the mean duration, in minutes and percent."""

    phase: Phase
    n: Count
    mean_minutes: float | None
    median_minutes: float | None
    share_pct: Annotated[float | None, Meta(description="from detected to resolved")]
    share_n: Count | None
    coverage_pct: Annotated[float | None, Meta(description="share_n in percent of the resolved incidents")]
    from_occurred_share_pct: float | None
    from_occurred_share_n: Count | None
    from_occurred_coverage_pct: float | None


class _Counted(JsonObject):
    scope_value: str
    window_start: WindowStart
    window_end: Instant | None
    incidents_matched: Count
    incidents_analyzed: Count
    incidents_excluded: Count
    excluded_open: Count
    excluded_outlier: Annotated[Count, Meta(description="left out of mean, median and phases")]
    outlier_minutes_share: Annotated[float | None, Meta(description="their part of all minutes, 0 to 1")]
    mean_minutes: float | None
    median_minutes: float | None
    p95_minutes: float | None


@preceded_by(_Counted)
class Statistics(Survival):
    """The statistics of one severity, service or team."""


class Member(Statistics):
    """One severity, service or team."""

    phase_breakdown: list[PhaseShare]


class _Scope(JsonObject):
    scope: str
    scope_value: str


@preceded_by(_Scope)
class MemberChange(Change):
    """Durations of one severity, service or team, the last 30 days against the 30 days before."""


@preceded_by(_Scope)
class MemberFrequency(Frequency):
    """How often incidents of one severity, service or team begin."""


class Comparisons(Head):
    """Severities, services and teams side by side, over the whole history and the last 30 days."""

    calculation_type: str
    phase_model: PhaseModel
    severity: Annotated[list[Member], Meta(description="by name, not by rank")]
    service: Annotated[list[Member], Meta(description="by name, not by rank")]
    team: Annotated[list[Member], Meta(description="by name, not by rank")]
    changes: list[MemberChange]
    frequency: list[MemberFrequency]
    downtime: Annotated[list[Downtime], Meta(description="per service and for all services together")]
    downtime_rules: DowntimeRules
    downtime_incidents: Annotated[
        list[DowntimeIncident],
        Meta(description=f"of the last 30 days, at most {MAX_CAUSES} per service, most weighted downtime first"),
    ]
    abandoned_count: Count
    abandoned_incidents: Annotated[
        list[AbandonedIncident], Meta(description=f"quiet for the longest time first, at most {MAX_ABANDONED}")
    ]


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """A `Comparisons`. Members are sorted by name: with few incidents each, a ranking would be chance."""
    model = phase_model(con)
    statistics = query(
        con,
        f"""SELECT scope, {columns(Statistics)} FROM mart.mttr_stats
        WHERE calculation_type = 'basic' AND scope <> 'all' AND (window_end IS NULL OR window_end = as_of)
        ORDER BY scope, {by_name("scope_value")}, window_start NULLS FIRST""",
    )
    phases = defaultdict(list)
    for row in query(
        con,
        f"""SELECT scope, scope_value, window_start, {columns(PhaseShare)}
        FROM mart.phase_breakdown WHERE calculation_type = 'basic' AND phase_model = ?""",
        [model],
    ):
        phases[row.pop("scope"), row.pop("scope_value"), row.pop("window_start")].append(row)
    members: dict[str, list[Document]] = {dimension: [] for dimension in DIMENSIONS}
    for row in statistics:
        breakdown = phases[row["scope"], row["scope_value"], row["window_start"]]
        members[row.pop("scope")].append({**row, "phase_breakdown": breakdown})
    return {
        **head(con),
        "calculation_type": "basic",
        "phase_model": model,
        **members,
        "changes": rows(
            con,
            MemberChange,
            f"FROM mart.changes WHERE calculation_type = 'basic' AND scope <> 'all' ORDER BY scope, {by_name('scope_value')}",
        ),
        "frequency": rows(
            con,
            MemberFrequency,
            f"FROM mart.frequency WHERE scope <> 'all' ORDER BY scope, {by_name('scope_value')}",
        ),
        "downtime": downtime.availability(con),
        "downtime_rules": downtime.rules(con),
        "downtime_incidents": downtime.causes(con),
        "abandoned_count": downtime.abandoned_count(con),
        "abandoned_incidents": downtime.abandoned(con),
    }
