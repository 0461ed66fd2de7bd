"""comparisons.json: severities, services and teams side by side."""

from __future__ import annotations

from collections import defaultdict

import duckdb

from mttr_pipeline.reports.kernel import Document, head, rows

DIMENSIONS = ("severity", "service", "team")
CHANGE = """window_start, window_end, previous_start, n, n_events, n_open, previous_n, previous_n_events, previous_n_open, km_median,
    previous_km_median, method, horizon_minutes, ratio, ratio_low, ratio_high, log_rank_p, q, smallest_detectable_ratio, verdict,
    is_mixed, low_n"""
FREQUENCY = """window_start, window_end, previous_start, n, n_current, n_previous, current_minutes, previous_minutes, rate_ratio,
    rate_ratio_low, rate_ratio_high, p, q, verdict, mtbf_minutes, mtbf_low_minutes, mtbf_high_minutes, mtbf_current_minutes,
    mtbf_current_low_minutes, mtbf_current_high_minutes, low_n"""
_STATS = """window_start, window_end, incidents_matched, incidents_analyzed, incidents_excluded, excluded_open, mean_minutes,
    median_minutes, p95_minutes, n_events, n_open, low_n, km_median, km_median_low, km_median_high, km_median_text, km_p90,
    km_p90_low, km_p90_high, rmst_minutes, rmst_low, rmst_high, is_rmst_bound, longest_minutes"""


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """Every member by name, over the whole history and the last 30 days; no order of merit, because chance would make it.
    Then what changed: durations and how often, the last 30 days against the 30 before; and what it cost: downtime."""
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
    return {
        **head(con),
        "calculation_type": "basic",
        "phase_model": model,
        **members,
        "changes": rows(
            con,
            f"""SELECT scope, scope_value, {CHANGE} FROM mart.changes
            WHERE calculation_type = 'basic' AND scope <> 'all' ORDER BY scope, scope_value""",
        ),
        "frequency": rows(
            con,
            f"""SELECT scope, scope_value, {FREQUENCY} FROM mart.frequency
            WHERE scope <> 'all' ORDER BY scope, scope_value""",
        ),
        "downtime": rows(
            con,
            """SELECT scope, scope_value, window_start, window_end, n, n_open, n_invalid, window_minutes, downtime_minutes,
                availability_pct, availability_target_pct, error_budget_minutes, error_budget_used_pct, user_minutes, n_users_known
            FROM mart.downtime""",
        ),
    }
