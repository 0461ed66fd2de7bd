"""summary.json: the last 30 days against the 30 before."""

from __future__ import annotations

from typing import Any

import duckdb

from mttr_pipeline.reports.comparisons import CHANGE, FREQUENCY
from mttr_pipeline.reports.data_quality import lights, sources
from mttr_pipeline.reports.kernel import Document, head, rows
from mttr_pipeline.reports.trend import directions

_HONEST = (
    "incidents_matched",
    "n_events",
    "n_open",
    "low_n",
    "km_median",
    "km_median_low",
    "km_median_high",
    "km_median_text",
    "km_p90",
    "km_p90_low",
    "km_p90_high",
    "rmst_minutes",
    "rmst_low",
    "rmst_high",
    "is_rmst_bound",
    "longest_minutes",
)
_MINUTES = ("mean_minutes", "median_minutes", "p95_minutes")


def document(con: duckdb.DuckDBPyConnection, calculation_type: str = "basic") -> Document:
    """Minutes, counts, changes in percent (None without a baseline), honest statistics, direction, targets, phases, freshness."""
    windows = rows(con, "SELECT name, window_start, window_end FROM core.windows WHERE window_start IS NOT NULL")
    period = {window["name"]: {"start": window["window_start"], "end": window["window_end"]} for window in windows}
    current, previous = (_stats(con, calculation_type, period[name]["start"]) for name in ("current", "previous"))
    whole = _stats(con, calculation_type, None)
    changes = {
        row["metric"]: row["change_pct"]
        for row in rows(
            con, "SELECT metric, change_pct FROM mart.period_summary WHERE calculation_type = ?", [calculation_type]
        )
    }
    model = current["phase_model"]
    return {
        **head(con),
        "calculation_type": calculation_type,
        "period": period["current"],
        "previous_period": period["previous"],
        "current_mttr": {name: current[name] for name in _MINUTES},
        "previous_mttr": {name: previous[name] for name in _MINUTES},
        "change_from_previous": {name.replace("_minutes", "_pct"): changes[name] for name in _MINUTES},
        "incidents": {
            "current_count": current["incidents_matched"],
            "previous_count": previous["incidents_matched"],
            "change_pct": changes["incidents_matched"],
            "analysed": current["incidents_analyzed"],
            "open": current["excluded_open"],
            "open_now": whole["excluded_open"],
            "excluded": current["incidents_excluded"],
            "outliers": current["excluded_outlier"],
            "outlier_minutes_share": current["outlier_minutes_share"],
        },
        "recovery": {
            name: {column: stats[column] for column in _HONEST}
            for name, stats in (("current", current), ("previous", previous), ("whole", whole))
        },
        "change": rows(
            con,
            f"SELECT {CHANGE} FROM mart.changes WHERE calculation_type = ? AND scope = 'all'",
            [calculation_type],
        )[0],
        "frequency": rows(con, f"SELECT {FREQUENCY} FROM mart.frequency WHERE scope = 'all'")[0],
        "directions": directions(con, calculation_type),
        "compliance": rows(
            con,
            """SELECT severity, target_minutes, incidents_count, within_target, at_risk, breached, open_breached, pending,
                compliance_pct, compliance_low_pct, compliance_high_pct, status
            FROM mart.target_compliance WHERE service IS NULL AND window_start = ?::TIMESTAMPTZ ORDER BY severity""",
            [period["current"]["start"]],
        ),
        "phase_model": model,
        "phase_breakdown": rows(
            con,
            """SELECT phase, n, mean_minutes, median_minutes, total_minutes, invalid, pct_of_means, share_pct, share_n
            FROM mart.phase_breakdown
            WHERE calculation_type = ? AND phase_model = ? AND scope = 'all' AND window_start = ?::TIMESTAMPTZ""",
            [calculation_type, model, period["current"]["start"]],
        ),
        "traffic_light": next(row for row in lights(con) if row["source"] == "all"),
        "sources": sources(con),
    }


def _stats(con: duckdb.DuckDBPyConnection, calculation_type: str, start: str | None) -> dict[str, Any]:
    return rows(
        con,
        """FROM mart.mttr_stats WHERE calculation_type = ? AND scope = 'all' AND window_start IS NOT DISTINCT FROM ?::TIMESTAMPTZ""",
        [calculation_type, start],
    )[0]
