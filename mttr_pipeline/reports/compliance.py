"""compliance.json: who met the targets, and who did not."""

from __future__ import annotations

import duckdb

from mttr_pipeline.reports.kernel import Document, head, rows

BREACHES = 50


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """Every row of target_compliance, and the worst breaches of the last 90 days with the number of all."""
    return {
        **head(con),
        "targets": rows(
            con,
            """SELECT window_start, window_end, severity, service, target_minutes, actual_mean, actual_median, resolved_count,
                incidents_count, within_target, at_risk, breached, open_breached, pending, not_measured, compliance_pct,
                compliance_low_pct, compliance_high_pct, status
            FROM mart.target_compliance
            ORDER BY window_start NULLS FIRST, service NULLS FIRST, severity""",
        ),
        "breach_count": rows(con, f"SELECT count(*) AS n {_RECENT}")[0]["n"],
        "open_breach_count": rows(con, "SELECT count(*) AS n FROM mart.target_breaches WHERE is_open")[0]["n"],
        "worst_breaches": rows(
            con,
            f"""SELECT incident_id, source, external_id, key, title, url, severity, service, team, status, started_at, resolved_at,
                target_minutes, actual_minutes, over_minutes, times_target, is_open {_RECENT}
            ORDER BY over_minutes DESC, incident_id LIMIT {BREACHES}""",
        ),
    }


def recent(compliance: Document) -> list[Document]:
    """Of the document, the rows of whole severities over the longer of the two recent windows, 90 days."""
    rows = [row for row in compliance["targets"] if row["service"] is None and row["window_start"]]
    first = min((row["window_start"] for row in rows), default=None)
    return [row for row in rows if row["window_start"] == first]


_RECENT = """FROM mart.target_breaches
    WHERE started_at >= (SELECT min(window_start) FROM mart.target_compliance)"""
