"""Which deploys introduced an incident, for the lists of incidents: what changed before it.

What does not belong here: what links a deploy to an incident (the tables).
"""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.reports.document import Document, Instant, JsonObject, columns, query


class Introduced(JsonObject):
    """A deploy that introduced an incident. That it came just before the incident is no proof that it caused it."""

    deploy_id: str
    source: str
    external_id: str
    service: str | None
    version: str | None
    sha: str | None
    url: str | None
    finished_at: Instant | None
    method: Annotated[
        Literal["explicit", "window"],
        Meta(description="explicit = a person or a tool says so; window = the latest deploy of the service before it"),
    ]
    minutes_before: Annotated[
        float | None, Meta(description="from the finish of the deploy to the begin of the impact; null = unknown")
    ]


Deploys = Annotated[
    list[Introduced], Meta(description="what introduced the incident; empty where no deploy is linked to it")
]
NoDeployBefore = Annotated[
    bool,
    Meta(
        description="all deploys of its service are known exactly, and none of them lies in the window before the impact"
    ),
]


def with_deploys(con: duckdb.DuckDBPyConnection, listed: list[Document]) -> list[Document]:
    """The same rows of incidents, each with its `deploys`."""
    found: dict[str, list[Document]] = {}
    for row in query(con, _INTRODUCED, [[row["incident_id"] for row in listed]]):
        found.setdefault(row.pop("incident_id"), []).append(row)
    return [{**row, "deploys": found.get(row["incident_id"], [])} for row in listed]


def with_what_changed(con: duckdb.DuckDBPyConnection, listed: list[Document]) -> list[Document]:
    """The same rows of incidents, each with its `deploys` and whether there is `no_deploy_before` it."""
    found = query(con, _NO_DEPLOY, [[row["incident_id"] for row in listed]])
    without = {row["incident_id"] for row in found}
    return [{**row, "no_deploy_before": row["incident_id"] in without} for row in with_deploys(con, listed)]


_INTRODUCED = f"""SELECT l.incident_id, {columns(Introduced)}
    FROM mart.incident_deploys AS l
    JOIN (SELECT * EXCLUDE (service) FROM mart.deploys) AS d USING (deploy_id)
    WHERE l.incident_id IN (SELECT unnest(?::VARCHAR[]))
    ORDER BY l.incident_id, l.minutes_before, l.service, l.deploy_id"""
# Only where no deploy can be overlooked: the service has one from before the incident, and the finish of each that ran is exact.
_NO_DEPLOY = """WITH began AS (
        SELECT incident_id, service, epoch_us(coalesce(occurred_at, detected_at)) AS began_us
        FROM mart.incidents
        WHERE incident_id IN (SELECT unnest(?::VARCHAR[])) AND service IS NOT NULL
    ),
    ran AS (
        SELECT service, epoch_us(finished_at) AS finished_us, finished_precision IN ('exact', 'job') AS is_exact, is_production
        FROM mart.deploys
        WHERE status IN ('success', 'rolled_back') AND service IS NOT NULL
    )
    SELECT b.incident_id
    FROM began AS b
    JOIN ran AS r ON r.service = b.service
    CROSS JOIN config.run AS run
    ANTI JOIN mart.incident_deploys AS l ON l.incident_id = b.incident_id
    GROUP BY b.incident_id
    HAVING bool_and(r.is_exact AND r.finished_us IS NOT NULL) AND bool_or(r.is_production AND r.finished_us < b.began_us)
        AND NOT bool_or(r.finished_us BETWEEN b.began_us - run.deploy_window_us AND b.began_us)"""
