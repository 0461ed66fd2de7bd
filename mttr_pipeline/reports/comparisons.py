"""comparisons.json: severities, services and teams side by side."""

from __future__ import annotations

from collections import defaultdict

import duckdb

from mttr_pipeline.reports.kernel import Document, head, rows

DIMENSIONS = ("severity", "service", "team")


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """Every member by name, over the whole history and the last 30 days; no order of merit, because chance would make it."""
    model = rows(con, "SELECT phase_model FROM core.phase_model")[0]["phase_model"]
    stats = rows(
        con,
        f"""SELECT scope, scope_value, {_STATS} FROM mart.mttr_stats
        WHERE calculation_type = 'basic' AND scope <> 'all' AND (window_end IS NULL OR window_end = as_of)
        ORDER BY scope, scope_value, window_start NULLS FIRST""",
    )
    phases = defaultdict(list)
    for row in rows(
        con,
        """SELECT scope, scope_value, window_start, phase, n, mean_minutes, median_minutes, share_pct, share_n
        FROM mart.phase_breakdown WHERE calculation_type = 'basic' AND phase_model = ?""",
        [model],
    ):
        phases[row.pop("scope"), row.pop("scope_value"), row.pop("window_start")].append(row)
    members: dict[str, list[Document]] = {dimension: [] for dimension in DIMENSIONS}
    for row in stats:
        breakdown = phases[row["scope"], row["scope_value"], row["window_start"]]
        members[row.pop("scope")].append({**row, "phase_breakdown": breakdown})
    return {**head(con), "calculation_type": "basic", "phase_model": model, **members}


_STATS = """window_start, window_end, incidents_matched, incidents_analyzed, incidents_excluded, excluded_open, mean_minutes,
    median_minutes, p95_minutes"""
