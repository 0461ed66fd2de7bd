"""trend.json: the last 90 days by day, week and month."""

from __future__ import annotations

import duckdb

from mttr_pipeline.reports.kernel import Document, head, rows


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """Every window of the basic variant, calendar-aligned and rolling, oldest first; whether there is a direction in them."""
    return {
        **head(con),
        "calculation_type": "basic",
        "phase_model": rows(con, "SELECT phase_model FROM core.phase_model")[0]["phase_model"],
        "directions": rows(
            con,
            """SELECT window_start, window_end, n, n_events, n_open, weeks, weeks_used, slope_per_week, slope_low, slope_high,
                change_pct_per_week, mann_kendall_p, mann_kendall_q, direction, direction_reason, shift_at, n_before,
                before_median_minutes, after_median_minutes, pettitt_p, pettitt_q, shift, shift_reason, low_n
            FROM mart.directions WHERE calculation_type = 'basic' AND scope = 'all' ORDER BY window_start NULLS FIRST""",
        ),
        "windows": rows(
            con,
            """SELECT "interval", alignment, window_start, window_end, is_partial, immature, mttr, median, p90, mttd, mttd_n, mtta,
                mtta_n, mtti, mtti_n, mttm, mttm_n, incident_count, analyzed_count, open_count, outlier_count, invalid_count,
                missing_count, n_events, n_open, low_n, km_median, km_median_low, km_median_high, km_p90
            FROM mart.trend WHERE calculation_type = 'basic'
            ORDER BY "interval", alignment, window_start""",
        ),
    }
