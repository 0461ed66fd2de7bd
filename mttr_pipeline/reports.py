"""The JSON reports, made from the mart tables of one run.

What belongs here: the shape of each document (its JSON Schema is in `schemas/`). What does not: any calculation that a
table already holds.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import duckdb

SCHEMA_VERSION = 1


def summary(con: duckdb.DuckDBPyConnection, calculation_type: str = "basic") -> dict[str, Any]:
    """The last 30 days against the 30 before: minutes, counts, changes in percent (None without a baseline), phases."""
    as_of, start, previous_start, definition_hash, model = _row(
        con,
        """SELECT run.as_of, c.window_start, p.window_start, run.definition_hash, m.phase_model
        FROM config.run AS run, core.windows AS c, core.windows AS p, core.phase_model AS m
        WHERE c.name = 'current' AND p.name = 'previous'""",
    )
    current = _period(con, calculation_type, start)
    previous = _period(con, calculation_type, previous_start)
    return {
        "schema_version": SCHEMA_VERSION,
        "as_of": instant_text(as_of),
        "definition_hash": definition_hash,
        "calculation_type": calculation_type,
        "period": {"start": instant_text(start), "end": instant_text(as_of)},
        "previous_period": {"start": instant_text(previous_start), "end": instant_text(start)},
        "current_mttr": {name: current[name] for name in _MINUTES},
        "previous_mttr": {name: previous[name] for name in _MINUTES},
        "change_from_previous": {
            name.replace("_minutes", "_pct"): change_pct(previous[name], current[name]) for name in _MINUTES
        },
        "incidents": {
            "current_count": current["incidents_matched"],
            "previous_count": previous["incidents_matched"],
            "change_pct": change_pct(previous["incidents_matched"], current["incidents_matched"]),
            "analysed": current["incidents_analyzed"],
            "open": current["excluded_open"],
            "excluded": current["incidents_excluded"],
        },
        "phase_model": model,
        "phase_breakdown": _rows(
            con,
            """SELECT phase, n, mean_minutes, median_minutes, total_minutes, invalid, pct_of_means, share_pct, share_n
            FROM mart.phase_breakdown
            WHERE calculation_type = ? AND phase_model = ? AND scope = 'all' AND epoch_us(window_start) = epoch_us(?::TIMESTAMP)""",
            [calculation_type, model, start],
        ),
        "sources": _rows(
            con,
            """SELECT source, status, data_as_of, error FROM (
                SELECT *, row_number() OVER (PARTITION BY source ORDER BY started_at DESC, run_id DESC) AS place
                FROM mart.source_runs WHERE source <> 'custom')
            WHERE place = 1 ORDER BY source""",
        ),
    }


def change_pct(before: float | None, now: float | None) -> float | None:
    """Change in percent; None where there is no baseline to change from."""
    return None if before is None or now is None or before == 0 else 100 * (now - before) / before


def instant_text(value: datetime) -> str:
    """ISO 8601 with Z. A datetime without a zone is UTC."""
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def dumps(document: dict[str, Any]) -> str:
    """The document as text: the same content always gives the same bytes."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


_MINUTES = ("mean_minutes", "median_minutes", "p95_minutes")


def _period(con: duckdb.DuckDBPyConnection, calculation_type: str, start: datetime) -> dict[str, Any]:
    return _rows(
        con,
        """SELECT * EXCLUDE (window_start, window_end, as_of) FROM mart.mttr_stats
        WHERE calculation_type = ? AND scope = 'all' AND epoch_us(window_start) = epoch_us(?::TIMESTAMP)""",
        [calculation_type, start],
    )[0]


def _rows(con: duckdb.DuckDBPyConnection, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
    cursor = con.execute(query, values or [])
    names = [column[0] for column in cursor.description or []]
    return [
        {
            name: instant_text(value) if isinstance(value, datetime) else value
            for name, value in zip(names, row, strict=True)
        }
        for row in cursor.fetchall()
    ]


def _row(con: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = con.execute(query).fetchone()
    assert row is not None
    return row
