"""data_quality.json: what to know before relying on a figure, and how fresh each source is."""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.landing.store import NOT_PULLED
from mttr_pipeline.reports.document import Count, Document, Head, Instant, JsonObject, head, query, rows
from mttr_pipeline.reports.records import Correlation, correlation

MAX_LINKS = 20


class Light(JsonObject):
    """The traffic light of one source, or of all sources: whether a reader may rely on the figures."""

    source: str
    light: Literal["green", "amber", "red", "no_data"]
    warnings: Count
    incidents: Count
    headline: str
    findings: list[str]


class Finding(JsonObject):
    """One finding of one source: n of total rows, and what it means."""

    dq_check: str
    source: str
    n: Count
    total: Count
    pct: float | None
    status: Literal["ok", "info", "warn"]
    meaning: str
    examples: Annotated[
        list[str] | None, Meta(description="up to five of the words or settings that it is about; null = it has none")
    ]


class Pull(JsonObject):
    """The newest pull of a source."""

    source: str
    status: Literal["complete", "failed", "interrupted", "undone"]
    data_as_of: Instant | None
    error: str | None


class Quarantined(JsonObject):
    """How many records of a source could not be read, per reason."""

    source: str
    reason: str
    n: Count


class SuggestedLink(JsonObject):
    """Two incidents that may be one incident recorded twice."""

    incident_id: str
    source: str
    external_id: str
    key: str | None
    title: str | None
    url: str | None
    other_incident_id: str
    other_source: str
    other_external_id: str
    other_key: str | None
    other_title: str | None
    other_url: str | None
    service: str | None
    detected_at: Instant
    minutes_apart: float | None
    similarity: Annotated[float | None, Meta(description="of the titles; null = the two are linked")]
    reason: Literal["similar_title", "link", "large_group"]


class Conflict(JsonObject):
    """A timestamp of an incident on which two of its sources disagree."""

    incident_id: str
    external_id: str
    key: str | None
    title: str | None
    url: str | None
    stamp: str
    chosen_source: str
    chosen_at: Annotated[Instant, Meta(description="the timestamp of the incident")]
    other_source: str
    other_at: Instant
    minutes_apart: float


class DataQuality(Head):
    """What to know before relying on a figure, and how fresh each source is."""

    lights: Annotated[list[Light], Meta(description="per source and for all")]
    findings: list[Finding]
    sources: Annotated[
        list[Pull], Meta(description="sources that are pulled; imported and received data have no freshness")
    ]
    quarantined: list[Quarantined]
    suggested_links: Annotated[
        list[SuggestedLink],
        Meta(description=f"of the last 90 days, linked ones first, at most {MAX_LINKS} of each kind"),
    ]
    correlation: Annotated[list[Correlation], Meta(description="for all, per source and per pair of sources")]
    conflicts: Annotated[
        list[Conflict], Meta(description=f"of the last 90 days, farthest apart first, at most {MAX_LINKS}")
    ]


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """A `DataQuality`."""
    return {
        **head(con),
        "lights": lights(con),
        "findings": rows(con, Finding, "FROM mart.data_quality ORDER BY dq_check, source"),
        "sources": sources(con),
        "quarantined": query(
            con,
            "SELECT source, reason, count(*) AS n FROM mart.quarantine GROUP BY source, reason ORDER BY source, reason",
        ),
        "suggested_links": rows(
            con,
            SuggestedLink,
            f"""FROM mart.suggested_links
            WHERE epoch_us(detected_at) >= (SELECT epoch_us(as_of - INTERVAL 90 DAY) FROM config.run)
            QUALIFY row_number() OVER (PARTITION BY reason = 'similar_title'
                ORDER BY similarity DESC, minutes_apart, detected_at, incident_id, other_incident_id) <= {MAX_LINKS}
            ORDER BY reason = 'similar_title', similarity DESC, minutes_apart, detected_at, incident_id, other_incident_id""",
        ),
        "correlation": correlation(con),
        "conflicts": rows(
            con,
            Conflict,
            f"""FROM mart.incident_conflicts JOIN mart.incidents AS i USING (incident_id)
            WHERE epoch_us(i.started_at) >= (SELECT epoch_us(as_of - INTERVAL 90 DAY) FROM config.run)
            ORDER BY minutes_apart DESC, incident_id, stamp, other_source LIMIT {MAX_LINKS}""",
        ),
    }


def lights(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """The `Light` of each source and of all sources together."""
    return rows(con, Light, "FROM mart.data_quality_status ORDER BY source")


def sources(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """The newest `Pull` of each source that is pulled. Imported records and received webhooks have no freshness.

    A failed pull counts only where it is a finding: a report about the past may have all its data from an earlier one.
    """
    return rows(
        con,
        Pull,
        """FROM mart.source_runs WHERE NOT list_contains(?, source) AND NOT (status = 'failed'
            AND source IN (SELECT source FROM mart.data_quality WHERE dq_check = 'last_pull_failed' AND n = 0))
        QUALIFY row_number() OVER (PARTITION BY source ORDER BY started_at DESC, run_id DESC) = 1 ORDER BY source""",
        [NOT_PULLED],
    )
