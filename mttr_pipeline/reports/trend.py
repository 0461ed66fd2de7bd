"""trend.json: the last 90 days by day, week and month."""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.reports.document import (
    Count,
    Document,
    Head,
    Instant,
    JsonObject,
    PhaseModel,
    Survival,
    WindowStart,
    head,
    phase_model,
    preceded_by,
    rows,
)


class Direction(JsonObject):
    """Whether recovery gets faster or slower, and since when."""

    window_start: WindowStart
    window_end: Instant | None
    n: Count
    n_events: Count
    n_open: Count
    weeks: Count
    weeks_used: Count
    slope_per_week: float | None
    slope_low: float | None
    slope_high: float | None
    change_pct_per_week: float | None
    mann_kendall_p: float | None
    mann_kendall_q: float | None
    direction: Literal["faster", "slower", "no detectable direction", "not enough data"]
    direction_reason: str | None
    shift_at: Instant | None
    n_before: Count | None
    before_median_minutes: float | None
    after_median_minutes: float | None
    shift_p: float | None
    shift_q: float | None
    shift_log_rank_p: float | None
    shift: Literal["faster", "slower", "no detectable shift", "not enough data"]
    shift_reason: str | None
    n_before_history: Annotated[
        Count, Meta(description="left out: they began before the complete history of their source")
    ]
    low_n: bool


class _Counted(JsonObject):
    interval: Literal["day", "week", "month"]
    alignment: Literal["calendar", "rolling"]
    window_start: Instant
    window_end: Instant
    is_partial: bool
    immature: Annotated[bool, Meta(description="an incident of the window is still open")]
    mttr: float | None
    median: float | None
    p90: float | None
    mttd: float | None
    mttd_n: Count
    mtta: float | None
    mtta_n: Count
    mtti: float | None
    mtti_n: Count
    mttm: float | None
    mttm_n: Count
    incident_count: Count
    analyzed_count: Count
    open_count: Count
    outlier_count: Count
    outlier_minutes_share: Annotated[float | None, Meta(description="their part of all minutes, 0 to 1")]
    invalid_count: Count
    missing_count: Count


@preceded_by(_Counted)
class Window(Survival):
    """One day, week or month."""


class Trend(Head):
    """The last 90 days by day, week and month."""

    calculation_type: str
    phase_model: PhaseModel
    directions: list[Direction]
    windows: Annotated[list[Window], Meta(description="calendar-aligned and rolling windows, oldest first")]


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """A `Trend` of the basic variant."""
    return {
        **head(con),
        "calculation_type": "basic",
        "phase_model": phase_model(con),
        "directions": directions(con, "basic"),
        "windows": rows(
            con,
            Window,
            """FROM mart.trend WHERE calculation_type = 'basic' ORDER BY "interval", alignment, window_start""",
        ),
    }


def directions(con: duckdb.DuckDBPyConnection, calculation_type: str) -> list[Document]:
    """The `Direction` of all incidents: over the whole history and over the last 90 days."""
    return rows(
        con,
        Direction,
        "FROM mart.directions WHERE calculation_type = ? AND scope = 'all' ORDER BY window_start NULLS FIRST",
        [calculation_type],
    )
