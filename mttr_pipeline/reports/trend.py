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
        "directions": directions(con, "basic"),
        "windows": rows(
            con,
            """SELECT "interval", alignment, window_start, window_end, is_partial, immature, mttr, median, p90, mttd, mttd_n, mtta,
                mtta_n, mtti, mtti_n, mttm, mttm_n, incident_count, analyzed_count, open_count, outlier_count, invalid_count,
                missing_count, n_events, n_open, low_n, km_median, km_median_low, km_median_high,
                km_median_text, km_p90, km_p90_low, km_p90_high, rmst_minutes, rmst_low, rmst_high, is_rmst_bound, longest_minutes
            FROM mart.trend WHERE calculation_type = 'basic'
            ORDER BY "interval", alignment, window_start""",
        ),
    }


def directions(con: duckdb.DuckDBPyConnection, calculation_type: str) -> list[Document]:
    """Whether all incidents recover faster or slower, and since when: over the whole history and over the last 90 days."""
    return rows(
        con,
        """SELECT window_start, window_end, n, n_events, n_open, weeks, weeks_used, slope_per_week, slope_low, slope_high,
            change_pct_per_week, mann_kendall_p, mann_kendall_q, direction, direction_reason, shift_at, n_before,
            before_median_minutes, after_median_minutes, pettitt_p, pettitt_q, shift, shift_reason, low_n
        FROM mart.directions WHERE calculation_type = ? AND scope = 'all' ORDER BY window_start NULLS FIRST""",
        [calculation_type],
    )
