"""bottlenecks.json: where time is lost, and what to do about it."""

from __future__ import annotations

import duckdb

from mttr_pipeline.reports.kernel import Document, head, rows

_BOTTLENECK = """SELECT scope, scope_value, phase, level, current_value, threshold, recommendation_id, recommendation, n,
    affected_incidents, affected_pct, level_by_median, median_minutes, tail_driven, low_n"""


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """The bottlenecks of the last 30 days and of the whole history, overall and per member; the biggest opportunity of the
    basic variant; the strategies that answer the overall bottlenecks (those of members are in the table recommendations)."""
    return {
        **head(con),
        "phase_model": rows(con, "SELECT phase_model FROM core.phase_model")[0]["phase_model"],
        "last_30_days": rows(con, f"{_BOTTLENECK} FROM mart.bottlenecks_current"),
        "whole_history": rows(con, f"{_BOTTLENECK} FROM mart.bottlenecks"),
        "opportunities": rows(
            con,
            """SELECT scope, scope_value, window_start, window_end, phase, n, total_minutes, mean_minutes, share_pct,
                warning_minutes, avoidable_minutes, avoidable_incidents, phase_by_mean, mean_minutes_by_mean, n_by_mean
            FROM mart.opportunities WHERE calculation_type = 'basic'
            ORDER BY scope, scope_value, window_start NULLS FIRST""",
        ),
        "recommendations": rows(
            con,
            """SELECT window_start, window_end, phase, level, current_value, threshold, target_minutes, target_source, gap_minutes,
                n, affected_incidents, low_n, place, strategy_id, topic, impact, effort, strategy, caution
            FROM mart.recommendations WHERE scope = 'all'
            ORDER BY window_start NULLS FIRST, gap_minutes DESC, phase, place""",
        ),
    }
