"""bottlenecks.json: which phases take too long, and what to do about it."""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.config.terms import Phase
from mttr_pipeline.reports.document import (
    Count,
    Document,
    Head,
    Instant,
    JsonObject,
    PhaseModel,
    WindowStart,
    head,
    phase_model,
    rows,
)


class Bottleneck(JsonObject):
    """A phase whose mean reaches its warning or critical level."""

    scope: str
    scope_value: str
    phase: Phase
    level: Literal["warning", "critical"]
    current_value: float
    threshold: float
    recommendation_id: str
    recommendation: str
    is_paged: Annotated[bool | None, Meta(description="whether it may speak of pages; null = not about acknowledgment")]
    n: Count
    affected_incidents: Count
    affected_pct: float
    level_by_median: Literal["ok", "warning", "critical"]
    median_minutes: float | None
    tail_driven: bool
    low_n: bool


class Opportunity(JsonObject):
    """The phase that takes the most minutes in total, over the analysed incidents."""

    scope: str
    scope_value: str
    window_start: WindowStart
    window_end: Instant | None
    phase: Phase | None
    n: Count | None
    total_minutes: float | None
    mean_minutes: float | None
    share_pct: Annotated[float | None, Meta(description="of all minutes of the variant")]
    unmeasured_pct: Annotated[float | None, Meta(description="part of all minutes that no phase measures")]
    incidents_analyzed: Count | None
    variant_minutes: float | None
    warning_minutes: float | None
    avoidable_minutes: float | None
    avoidable_incidents: Count | None
    phase_by_mean: Phase | None
    mean_minutes_by_mean: float | None
    n_by_mean: Count | None


class Recommendation(JsonObject):
    """A strategy for an overall bottleneck."""

    window_start: WindowStart
    window_end: Instant | None
    phase: Phase
    level: Literal["warning", "critical"]
    current_value: float
    threshold: float
    target_minutes: float
    target_source: str
    gap_minutes: float
    n: Count
    affected_incidents: Count
    low_n: bool
    place: Count
    strategy_id: str
    topic: str
    impact: str
    effort: str
    strategy: str
    caution: str | None


class Bottlenecks(Head):
    """Where time is lost, and what to do about it."""

    phase_model: PhaseModel
    last_30_days: Annotated[list[Bottleneck], Meta(description="critical first, then the highest value")]
    whole_history: Annotated[list[Bottleneck], Meta(description="critical first, then the highest value")]
    opportunities: Annotated[list[Opportunity], Meta(description="of the basic variant")]
    recommendations: list[Recommendation]


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """A `Bottlenecks`. The recommendations of single members are in the table `recommendations` only."""
    return {
        **head(con),
        "phase_model": phase_model(con),
        "last_30_days": rows(con, Bottleneck, "FROM mart.bottlenecks_current"),
        "whole_history": rows(con, Bottleneck, "FROM mart.bottlenecks"),
        "opportunities": rows(
            con,
            Opportunity,
            """FROM mart.opportunities WHERE calculation_type = 'basic'
            ORDER BY scope, scope_value, window_start NULLS FIRST""",
        ),
        "recommendations": rows(
            con,
            Recommendation,
            "FROM mart.recommendations WHERE scope = 'all' ORDER BY window_start NULLS FIRST, gap_minutes DESC, phase, place",
        ),
    }
