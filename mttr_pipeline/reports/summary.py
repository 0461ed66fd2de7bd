"""summary.json: the last 30 days against the 30 days before."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.config.terms import Phase, Severity
from mttr_pipeline.reports.comparisons import Change, Frequency
from mttr_pipeline.reports.compliance import Missed, Outcome, Share
from mttr_pipeline.reports.data_quality import Light, Pull, lights, sources
from mttr_pipeline.reports.document import (
    Count,
    Document,
    Head,
    Instant,
    JsonObject,
    PhaseModel,
    Survival,
    head,
    preceded_by,
    query,
    rows,
)
from mttr_pipeline.reports.trend import Direction, directions


class Period(JsonObject):
    """A window, half-open."""

    start: Instant
    end: Instant


class Minutes(JsonObject):
    """Durations of the analysed incidents, in minutes; null without any."""

    mean_minutes: float | None
    median_minutes: float | None
    p95_minutes: float | None


class MinutesChange(JsonObject):
    """Change in percent; null without a baseline."""

    mean_pct: float | None
    median_pct: float | None
    p95_pct: float | None


class Incidents(JsonObject):
    """How many incidents there are, and how many of them are left out of the durations."""

    current_count: Count
    previous_count: Count
    change_pct: float | None
    analysed: Count
    open: Count
    open_now: Annotated[Count, Meta(description="of the whole history")]
    excluded: Count
    outliers: Annotated[Count, Meta(description="left out of mean, median and phases")]
    outlier_minutes_share: Annotated[float | None, Meta(description="their part of all minutes, 0 to 1")]


class _Matched(JsonObject):
    incidents_matched: Count


@preceded_by(_Matched)
class WindowSurvival(Survival):
    """Open incidents count as lasting at least until as_of; outliers are kept."""


class Recovery(JsonObject):
    """Time to recovery in the last 30 days, the 30 days before, and the whole history."""

    current: WindowSurvival
    previous: WindowSurvival
    whole: WindowSurvival


class _Target(JsonObject):
    severity: Severity
    target_minutes: float | None


@preceded_by(_Target, Outcome, Share)
class SeverityTarget(Missed):
    """How a severity met its target in the last 30 days."""

    status: Literal["healthy", "warning", "critical", "no_data", "no_target"]


class PhaseTotals(JsonObject):
    """What one phase takes: per incident, in all, and as a part of the whole."""

    phase: Phase
    n: Count
    mean_minutes: float | None
    median_minutes: float | None
    total_minutes: float | None
    invalid: Count
    pct_of_means: float | None
    share_pct: Annotated[float | None, Meta(description="from detected to resolved")]
    share_n: Annotated[Count | None, Meta(description="incidents that have every phase from detected to resolved")]
    coverage_pct: Annotated[float | None, Meta(description="share_n in percent of incidents_with_recovery")]
    from_occurred_share_pct: Annotated[float | None, Meta(description="the same from occurred to resolved")]
    from_occurred_share_n: Count | None
    from_occurred_coverage_pct: float | None
    incidents_with_recovery: Annotated[Count, Meta(description="resolved incidents, outliers left out")]


class Summary(Head):
    """The last 30 days against the 30 days before."""

    calculation_type: str
    period: Period
    previous_period: Period
    current_mttr: Minutes
    previous_mttr: Minutes
    change_from_previous: MinutesChange
    incidents: Incidents
    recovery: Recovery
    change: Change
    frequency: Frequency
    directions: list[Direction]
    compliance: list[SeverityTarget]
    phase_model: PhaseModel
    phase_breakdown: list[PhaseTotals]
    traffic_light: Light
    sources: list[Pull]


def document(con: duckdb.DuckDBPyConnection, calculation_type: str = "basic") -> Document:
    """A `Summary`. Minutes are numbers; a change in percent is None without a baseline."""
    windows = query(con, "SELECT name, window_start, window_end FROM core.windows WHERE window_start IS NOT NULL")
    period = {window["name"]: {"start": window["window_start"], "end": window["window_end"]} for window in windows}
    current, previous = (_statistics(con, calculation_type, period[name]["start"]) for name in ("current", "previous"))
    whole = _statistics(con, calculation_type, None)
    changes = {
        row["metric"]: row["change_pct"]
        for row in query(
            con, "SELECT metric, change_pct FROM mart.period_summary WHERE calculation_type = ?", [calculation_type]
        )
    }
    model = current["phase_model"]
    return {
        **head(con),
        "calculation_type": calculation_type,
        "period": period["current"],
        "previous_period": period["previous"],
        "current_mttr": _only(Minutes, current),
        "previous_mttr": _only(Minutes, previous),
        "change_from_previous": {
            name: changes[name.replace("_pct", "_minutes")] for name in MinutesChange.__struct_fields__
        },
        "incidents": {
            "current_count": current["incidents_matched"],
            "previous_count": previous["incidents_matched"],
            "change_pct": changes["incidents_matched"],
            "analysed": current["incidents_analyzed"],
            "open": current["excluded_open"],
            "open_now": whole["excluded_open"],
            "excluded": current["incidents_excluded"],
            "outliers": current["excluded_outlier"],
            "outlier_minutes_share": current["outlier_minutes_share"],
        },
        "recovery": {
            name: _only(WindowSurvival, statistics)
            for name, statistics in (("current", current), ("previous", previous), ("whole", whole))
        },
        "change": rows(
            con, Change, "FROM mart.changes WHERE calculation_type = ? AND scope = 'all'", [calculation_type]
        )[0],
        "frequency": rows(con, Frequency, "FROM mart.frequency WHERE scope = 'all'")[0],
        "directions": directions(con, calculation_type),
        "compliance": rows(
            con,
            SeverityTarget,
            "FROM mart.target_compliance WHERE service IS NULL AND window_start = ?::TIMESTAMPTZ ORDER BY severity",
            [period["current"]["start"]],
        ),
        "phase_model": model,
        "phase_breakdown": rows(
            con,
            PhaseTotals,
            """FROM mart.phase_breakdown
            WHERE calculation_type = ? AND phase_model = ? AND scope = 'all' AND window_start = ?::TIMESTAMPTZ""",
            [calculation_type, model, period["current"]["start"]],
        ),
        "traffic_light": next(row for row in lights(con) if row["source"] == "all"),
        "sources": sources(con),
    }


def _statistics(con: duckdb.DuckDBPyConnection, calculation_type: str, start: str | None) -> dict[str, Any]:
    return query(
        con,
        """FROM mart.mttr_stats WHERE calculation_type = ? AND scope = 'all' AND window_start IS NOT DISTINCT FROM ?::TIMESTAMPTZ""",
        [calculation_type, start],
    )[0]


def _only(kind: type[JsonObject], row: Document) -> Document:
    return {name: row[name] for name in kind.__struct_fields__}
