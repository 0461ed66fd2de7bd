"""data_quality.json: what to know before trusting a figure, and how fresh every source is."""

from __future__ import annotations

import duckdb

from mttr_pipeline.reports.kernel import Document, head, rows


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """The traffic light, every finding per source, the newest pull of every source, and how much is in quarantine."""
    return {
        **head(con),
        "lights": lights(con),
        "findings": rows(
            con,
            "SELECT dq_check, source, n, total, pct, status, meaning FROM mart.data_quality ORDER BY dq_check, source",
        ),
        "sources": sources(con),
        "quarantined": rows(
            con,
            "SELECT source, reason, count(*) AS n FROM mart.quarantine GROUP BY source, reason ORDER BY source, reason",
        ),
    }


def lights(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """The traffic light of every source and of all."""
    return rows(
        con,
        "SELECT source, light, warnings, incidents, headline, findings FROM mart.data_quality_status ORDER BY source",
    )


def sources(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """The newest pull of every source that is pulled; imported records have no freshness."""
    return rows(
        con,
        """SELECT source, status, data_as_of, error FROM (
            SELECT *, row_number() OVER (PARTITION BY source ORDER BY started_at DESC, run_id DESC) AS place
            FROM mart.source_runs WHERE source <> 'custom')
        WHERE place = 1 ORDER BY source""",
    )
