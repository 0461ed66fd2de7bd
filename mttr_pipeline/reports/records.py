"""Which records an incident is made of, for the lists of incidents, and how many records made how many incidents.

What does not belong here: which links join (the tables).
"""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.reports.document import Count, Document, JsonObject, query, rows


class Record(JsonObject):
    """A vendor record that an incident is made of."""

    source: str
    external_id: str
    key: str | None
    title: str | None
    url: str | None
    role: Literal["primary", "member", "duplicate"]
    link_reason: Annotated[str | None, Meta(description="the most reliable link that makes it a part of the incident")]


Records = Annotated[
    list[Record], Meta(description="what the incident is made of, its primary record first; empty where that is one")
]


class Correlation(JsonObject):
    """How many records made how many incidents."""

    scope: Literal["all", "source", "pair"]
    source: str
    other_source: Annotated[str | None, Meta(description="the second source of a pair")]
    records: Annotated[Count, Meta(description="each episode of a record is one")]
    incidents: Annotated[Count, Meta(description="of a source or a pair, those that it has records of")]
    joined: Annotated[Count, Meta(description="records that are not the primary record of an incident")]


def correlation(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """A `Correlation` for all records, one per source, and one per pair of sources that have incidents together."""
    return rows(con, Correlation, "FROM mart.correlation ORDER BY scope, source, other_source NULLS FIRST")


def with_records(con: duckdb.DuckDBPyConnection, listed: list[Document]) -> list[Document]:
    """The same rows of incidents, each with its `records`: those of incidents that several vendor records are."""
    found: dict[str, list[Document]] = {}
    for row in query(
        con,
        """WITH told AS (
            SELECT *, row_number() OVER (
                PARTITION BY incident_id, source, external_id ORDER BY role <> 'primary', episode) AS place
            FROM mart.records
            WHERE incident_id IN (SELECT unnest(?::VARCHAR[])) AND (SELECT correlates FROM config.run)
        )
        SELECT incident_id, source, external_id, key, title, url, role, link_reason
        FROM (FROM told WHERE place = 1)
        QUALIFY count(*) OVER (PARTITION BY incident_id) > 1
        ORDER BY incident_id, role <> 'primary', source, external_id""",
        [[row["incident_id"] for row in listed]],
    ):
        found.setdefault(row.pop("incident_id"), []).append(row)
    return [{**row, "records": found.get(row["incident_id"], [])} for row in listed]
