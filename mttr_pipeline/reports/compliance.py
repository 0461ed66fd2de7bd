"""compliance.json: who met the targets, and who did not."""

from __future__ import annotations

import duckdb

from mttr_pipeline.reports.kernel import Document, head, rows

BREACHES = 50
GOAL_PCT = 95


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """Every row of target_compliance and of phase_compliance; of the breaches those that are still open, longest over their
    target first, and the worst of the last 90 days, each with the number of all."""
    return {
        **head(con),
        "targets": targets(con),
        "phases": phases(con),
        "breach_count": rows(con, f"SELECT count(*) AS n {_RECENT}")[0]["n"],
        "open_breach_count": rows(con, "SELECT count(*) AS n FROM mart.target_breaches WHERE is_open")[0]["n"],
        "worst_breaches": _breaches(con, _RECENT),
        "open_breaches": _breaches(con, "FROM mart.target_breaches WHERE is_open"),
    }


def targets(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """Every row of target_compliance."""
    return rows(
        con,
        """SELECT window_start, window_end, severity, service, team, target_minutes, actual_mean, actual_median, resolved_count,
            incidents_count, within_target, at_risk, breached, open_breached, pending, not_measured, compliance_pct,
            compliance_low_pct, compliance_high_pct, status, low_n
        FROM mart.target_compliance
        ORDER BY window_start NULLS FIRST, service NULLS FIRST, severity""",
    )


def phases(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """Every row of phase_compliance: none unless a phase has a target."""
    return rows(
        con,
        """SELECT window_start, window_end, phase_model, phase, severity, target_minutes, actual_mean, actual_median,
            finished_count, incidents_count, within_target, at_risk, breached, open_breached, pending, not_measured,
            compliance_pct, compliance_low_pct, compliance_high_pct, status, low_n
        FROM mart.phase_compliance""",
    )


def recent(targets: list[Document], part: str = "service") -> list[Document]:
    """Of rows of targets those over the longer of the two recent windows, 90 days, that are of no single service; of rows of
    phases (`part` is severity) those of no single severity.
    """
    whole = [row for row in targets if row[part] is None and row["window_start"]]
    first = min((row["window_start"] for row in whole), default=None)
    return [row for row in whole if row["window_start"] == first]


def failing(targets: list[Document], severity: str) -> list[str]:
    """The services that missed the target of a severity in the last 90 days beyond chance, with their team: 95 % limits below
    the goal.
    """
    first = min((row["window_start"] for row in targets if row["window_start"]), default=None)
    return [
        f"{row['service']}{' (' + row['team'] + ')' if row['team'] else ''}: {row['within_target']} of {row['incidents_count']}"
        for row in targets
        if (row["window_start"], row["severity"]) == (first, severity)
        and row["service"] is not None
        and row["incidents_count"]
        and row["compliance_high_pct"] < GOAL_PCT
    ]


def _breaches(con: duckdb.DuckDBPyConnection, which: str) -> list[Document]:
    return rows(
        con,
        f"""SELECT incident_id, source, external_id, key, title, url, severity, service, team, status, started_at, resolved_at,
            target_minutes, actual_minutes, over_minutes, times_target, is_open {which}
        ORDER BY over_minutes DESC, incident_id LIMIT {BREACHES}""",
    )


_RECENT = """FROM mart.target_breaches
    WHERE started_at >= (SELECT min(window_start) FROM mart.target_compliance)"""
