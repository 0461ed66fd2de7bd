"""What the pages of single services and teams show beyond the documents: their breaches, and who owns what.

Only the worst breaches are in compliance.json; these are those of one member, read from the published tables.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import duckdb

from mttr_pipeline.reports import errors, learning
from mttr_pipeline.reports.compliance import BreachRow
from mttr_pipeline.reports.deploys import with_what_changed
from mttr_pipeline.reports.document import Document, by_name, columns, query
from mttr_pipeline.reports.evidence import with_evidence
from mttr_pipeline.reports.records import with_records

MOST = 10  # breaches of each kind, and overdue post-mortems
MOST_ISSUES = 5


@dataclass
class MemberDetails:
    """One service or team: its worst breaches, how many there are, its owners (of a service) or services (of a team)."""

    recent: list[Document] = field(default_factory=list)
    recent_count: int = 0
    open: list[Document] = field(default_factory=list)
    open_count: int = 0
    related: list[str] = field(default_factory=list)
    issues: list[Document] = field(default_factory=list)
    overdue: list[Document] = field(default_factory=list)
    releases: list[Document] = field(default_factory=list)


def member_details(con: duckdb.DuckDBPyConnection, dimension: str) -> dict[str, MemberDetails]:
    """Member -> what is known of it; members without any of it are not there."""
    found: dict[str, MemberDetails] = defaultdict(MemberDetails)
    for row in _evident(con, _breaches(dimension, _RECENT)):
        found[row[dimension]].recent_count = row.pop("breaches")
        found[row[dimension]].recent.append(row)
    for row in _evident(con, _breaches(dimension, "is_open")):
        found[row[dimension]].open_count = row.pop("breaches")
        found[row[dimension]].open.append(row)
    for row in errors.triage(con, MOST_ISSUES, dimension):
        found[row[dimension]].issues.append(row)
    for row in learning.overdue(con, MOST, dimension):
        found[row[dimension]].overdue.append(row)
    if dimension == "service":
        for row in errors.releases(con):
            found[row["service"]].releases.append(row)
    related = "team" if dimension == "service" else "service"
    for row in query(
        con, f"SELECT service, team FROM mart.services WHERE team IS NOT NULL ORDER BY {by_name('service')}"
    ):
        found[row[dimension]].related.append(row[related])
    return dict(found)


def _evident(con: duckdb.DuckDBPyConnection, text: str) -> list[Document]:
    """The incidents of a query, with what is known of each."""
    return with_evidence(con, with_what_changed(con, with_records(con, query(con, text))))


_RECENT = "started_at >= (SELECT min(window_start) FROM mart.target_compliance)"


def _breaches(dimension: str, condition: str) -> str:
    """The worst breaches of each member, most minutes over the target first, each with the number of them all."""
    return f"""SELECT {columns(BreachRow)}, count(*) OVER (PARTITION BY {dimension}) AS breaches
        FROM mart.target_breaches WHERE {condition}
        QUALIFY row_number() OVER (PARTITION BY {dimension} ORDER BY over_minutes DESC, incident_id) <= {MOST}
        ORDER BY {dimension}, over_minutes DESC, incident_id"""
