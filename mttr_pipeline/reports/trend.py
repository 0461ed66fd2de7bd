"""trend.json: the last 90 days by day, week and month."""

from __future__ import annotations

import duckdb

from mttr_pipeline.reports.kernel import Document, head, rows


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """Every window of the basic variant, calendar-aligned and rolling, oldest first."""
    return {
        **head(con),
        "calculation_type": "basic",
        "phase_model": rows(con, "SELECT phase_model FROM core.phase_model")[0]["phase_model"],
        "windows": rows(
            con,
            """SELECT "interval", alignment, window_start, window_end, is_partial, immature, mttr, median, p90, mttd, mttd_n, mtta,
                mtta_n, mtti, mtti_n, mttm, mttm_n, incident_count, analyzed_count, open_count, outlier_count, invalid_count,
                missing_count
            FROM mart.trend WHERE calculation_type = 'basic'
            ORDER BY "interval", alignment, window_start""",
        ),
    }
