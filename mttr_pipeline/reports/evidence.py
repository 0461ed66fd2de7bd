"""What else is known of an incident that a list shows: the errors that tell of it, and its post-mortem.

What does not belong here: what ties an error to an incident, and when a post-mortem is due (the tables).
"""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.reports.document import Count, Document, Instant, JsonObject, columns, query

MAX_ERRORS = 3


class LinkedError(JsonObject):
    """An issue of an error tracker that tells of an incident, or that is only near it in time."""

    source: str
    external_id: str
    key: str | None
    title: str | None
    url: str | None
    service: str | None
    method: Annotated[
        Literal["link", "release", "service and time"],
        Meta(
            description="link = a link joins them; the others say that two things happened together, and prove nothing"
        ),
    ]
    is_weak: bool
    minutes_from_detected: Annotated[
        float | None,
        Meta(description="from the detection of the incident to the begin of the issue; negative = before it"),
    ]


class LinkedErrors(JsonObject):
    """The issues of one incident: links first, then the nearest in time."""

    n: Count
    n_weak: Annotated[Count, Meta(description="of n: those that are no more than near in time")]
    listed: Annotated[list[LinkedError], Meta(description=f"at most {MAX_ERRORS}")]


class PostMortem(JsonObject):
    """The post-mortem of an incident, or that there is none."""

    state: Annotated[
        Literal["completed", "open", "overdue", "missing", "not due"],
        Meta(description="open = it exists; overdue = it exists and is due; missing = there is none and it is due"),
    ]
    key: str | None
    title: str | None
    url: str | None
    due_at: Annotated[Instant | None, Meta(description="null = none is needed")]
    completed_at: Instant | None
    on_time: bool | None


Errors = Annotated[LinkedErrors | None, Meta(description="null = no issue tells of it")]
PostMortemOf = Annotated[
    PostMortem | None,
    Meta(description="null = none is needed and there is none, or no post-mortem of any incident is known"),
]


def with_evidence(con: duckdb.DuckDBPyConnection, listed: list[Document]) -> list[Document]:
    """The same rows of incidents, each with its `errors` and its `post_mortem`."""
    ids = [row["incident_id"] for row in listed]
    errors: dict[str, Document] = {}
    for row in query(con, _ERRORS, [ids]):
        place, n, n_weak = row.pop("place"), row.pop("n"), row.pop("n_weak")
        told = errors.setdefault(row.pop("incident_id"), {"n": n, "n_weak": n_weak, "listed": []})
        if place <= MAX_ERRORS:
            told["listed"].append(row)
    written = {row.pop("incident_id"): row for row in query(con, _POST_MORTEMS, [ids])}
    return [
        {**row, "errors": errors.get(row["incident_id"]), "post_mortem": written.get(row["incident_id"])}
        for row in listed
    ]


_ERRORS = f"""WITH told AS (
        SELECT l.incident_id, l.method, l.is_weak, l.minutes_from_detected, e.source, e.external_id, e.key, e.title, e.url, e.service
        FROM mart.incident_errors AS l
        JOIN mart.error_issues AS e ON e.source = l.source AND e.external_id = l.external_id
        WHERE l.incident_id IN (SELECT unnest(?::VARCHAR[]))
    )
    SELECT incident_id, {columns(LinkedError)},
        count(*) OVER (PARTITION BY incident_id) AS n,
        count(*) FILTER (is_weak) OVER (PARTITION BY incident_id) AS n_weak,
        row_number() OVER (PARTITION BY incident_id
            ORDER BY is_weak, method, abs(minutes_from_detected) NULLS LAST, source, external_id) AS place
    FROM told
    ORDER BY incident_id, place"""
#: Whether a post-mortem is missing is known only where any post-mortem is.
POST_MORTEM_STATE = """CASE
        WHEN completed_at IS NOT NULL THEN 'completed'
        WHEN external_id IS NULL THEN CASE WHEN is_due THEN 'missing' ELSE 'not due' END
        WHEN is_due THEN 'overdue'
        ELSE 'open'
    END"""
ANY_POST_MORTEM = "EXISTS (FROM mart.follow_ups AS a WHERE a.kind = 'post_mortem' AND a.external_id IS NOT NULL)"
_POST_MORTEMS = f"""SELECT incident_id, {POST_MORTEM_STATE} AS state, key, title, url, due_at, completed_at, on_time
    FROM mart.follow_ups
    WHERE kind = 'post_mortem' AND incident_id IN (SELECT unnest(?::VARCHAR[])) AND {ANY_POST_MORTEM}
    ORDER BY incident_id, external_id"""
