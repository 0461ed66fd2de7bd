"""data_quality.json: what to know before trusting a figure, and how fresh every source is."""

from __future__ import annotations

import duckdb

from mttr_pipeline.reports.kernel import Document, head, rows

LINKS = 20


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """The traffic light, every finding per source, the newest pull of every source, how much is in quarantine, and of the last
    90 days what is likeliest to be one incident recorded twice."""
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
        "suggested_links": rows(
            con,
            f"""SELECT incident_id, source, external_id, key, title, url, other_incident_id, other_source, other_external_id,
                other_key, other_title, other_url, service, detected_at, minutes_apart, similarity
            FROM mart.suggested_links
            WHERE epoch_us(detected_at) >= (SELECT epoch_us(as_of - INTERVAL 90 DAY) FROM config.run)
            ORDER BY similarity DESC, minutes_apart, detected_at, incident_id, other_incident_id LIMIT {LINKS}""",
        ),
    }


def lights(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """The traffic light of every source and of all."""
    return rows(
        con,
        "SELECT source, light, warnings, incidents, headline, findings FROM mart.data_quality_status ORDER BY source",
    )


def sources(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """The newest pull of every source that is pulled; imported records and received bodies have no freshness."""
    return rows(
        con,
        """SELECT source, status, data_as_of, error FROM (
            SELECT *, row_number() OVER (PARTITION BY source ORDER BY started_at DESC, run_id DESC) AS place
            FROM mart.source_runs WHERE source NOT IN ('custom', 'inbox'))
        WHERE place = 1 ORDER BY source""",
    )
