"""errors.json: issues of error trackers in the order of the work, fixes and whether they held, and the health of releases.

Only the health of releases is compared by a test; so nothing else here is a verdict.
"""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
import msgspec
from msgspec import Meta

from mttr_pipeline.reports.document import (
    Count,
    Document,
    Head,
    Instant,
    JsonObject,
    by_name,
    columns,
    head,
    query,
    rows,
)

MAX_ISSUES = 50
MAX_FIXES = 50
MAX_RELEASES = 5  # of one service

Percent = Annotated[float, Meta(ge=0, le=100)]


class Issue(JsonObject):
    """An unresolved issue, as its table has it."""

    triage_rank: Annotated[int, Meta(ge=1)]
    triage_reason: str
    source: str
    external_id: str
    key: str | None
    title: str | None
    url: str | None
    class_: Literal["new", "regression", "spike", "ongoing"] | None = msgspec.field(name="class")
    level: str | None
    service: str | None
    team: str | None
    environment: str | None
    first_seen_at: Instant | None
    last_seen_at: Instant | None
    first_release: str | None
    events: int | None
    users: Annotated[int | None, Meta(description="null = the server does not count them")]
    events_24h: int | None
    is_unhandled: bool | None
    assigned: str | None
    incident_id: Annotated[str | None, Meta(description="the incident that a link makes it evidence of")]


class Counted(JsonObject):
    """How many issues have one status and class."""

    status: Annotated[str | None, Meta(description="null = the vendor's word is another one")]
    class_: Annotated[str | None, Meta(description="null = resolved")] = msgspec.field(name="class")
    n: Count


class Coverage(JsonObject):
    """How well the issues of one source, or of all, are known."""

    scope_value: str
    issues: Count
    with_service: Count
    with_service_pct: Percent
    with_team: Count
    with_team_pct: Percent
    with_both: Count
    with_both_pct: Percent
    n_suspect_commit: Annotated[
        Count, Meta(description="issues of which the source tells whether it suspects a commit")
    ]
    with_suspect_commit: Annotated[int | None, Meta(description="null = the source does not tell")]
    with_suspect_commit_pct: Percent | None
    with_deploy: Count
    with_deploy_pct: Percent
    with_incident: Count
    with_incident_pct: Percent


class Fixes(JsonObject):
    """Issues by the state of their newest fix, of those whose fix was out in the last 90 days."""

    n: Count
    confirmed: Annotated[Count, Meta(description="the first 30 minutes after the fix had no event")]
    pending: Annotated[Count, Meta(description="these 30 minutes are not over")]
    ineffective: Annotated[Count, Meta(description="there were events of the fixed version or a later one")]
    unknown: Annotated[Count, Meta(description="there were events that may be of older versions")]


class Fix(JsonObject):
    """An issue whose newest fix did not hold."""

    source: str
    external_id: str
    key: str | None
    title: str | None
    url: str | None
    service: str | None
    team: str | None
    status: str | None
    fix_at: Instant
    fix_method: Annotated[str, Meta(description="release, commit or resolve: what the fix is known by")]
    fix_version: Annotated[str | None, Meta(description="version of the deploy that fixed it; null = not known")]
    fix_url: str | None
    last_seen_at: Instant | None
    users: int | None


class Release(JsonObject):
    """The sessions of a release of a service, against the release before it."""

    service: str
    version: str
    released_at: Instant | None
    sessions: Count
    crashed: Count
    crash_free_pct: Percent
    crash_free_low_pct: float | None
    crash_free_high_pct: float | None
    version_before: str | None
    sessions_before: int | None
    crash_free_before_pct: float | None
    crash_ratio: Annotated[float | None, Meta(description="share of crashed sessions / that of the release before")]
    crash_ratio_low: float | None
    crash_ratio_high: float | None
    q: Annotated[float | None, Meta(description="null = fewer than 100 sessions of one of the two")]
    verdict: Annotated[
        Literal["better", "worse", "no clear change"] | None,
        Meta(
            description="worse and better only where q is below 0.05; null = fewer than 100 sessions of one of the two"
        ),
    ]


class Errors(Head):
    """Issues of error trackers. Empty lists: no error tracker is known."""

    issues: Annotated[
        list[Issue], Meta(description=f"unresolved ones in the order of triage_rank, at most {MAX_ISSUES}")
    ]
    unresolved_count: Annotated[Count, Meta(description="all unresolved issues")]
    counts: Annotated[list[Counted], Meta(description="all issues, by status and class")]
    coverage: Annotated[list[Coverage], Meta(description="of all sources together first, then of each")]
    fixes: Annotated[Fixes | None, Meta(description="null = no fix of the last 90 days is known")]
    fixes_that_did_not_hold: Annotated[
        list[Fix], Meta(description=f"of the last 90 days, the newest first, at most {MAX_FIXES}")
    ]
    releases: Annotated[
        list[Release],
        Meta(description=f"the newest {MAX_RELEASES} of each service that has sessions, the newest first"),
    ]


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """An `Errors`."""
    return {
        **head(con),
        "issues": triage(con, MAX_ISSUES),
        "unresolved_count": query(con, "SELECT count(triage_rank) AS n FROM mart.error_issues")[0]["n"],
        "counts": query(
            con,
            """FROM (SELECT status, "class", count(*) AS n FROM mart.error_issues GROUP BY ALL)
            ORDER BY status DESC NULLS LAST, list_position(['new', 'regression', 'spike', 'ongoing'], "class")""",
        ),
        "coverage": rows(con, Coverage, "FROM mart.error_coverage ORDER BY scope_value = 'all' DESC, scope_value"),
        "fixes": next(iter(query(con, _FIXES)), None),
        "fixes_that_did_not_hold": query(con, _INEFFECTIVE),
        "releases": releases(con),
    }


def triage(con: duckdb.DuckDBPyConnection, most: int, dimension: str | None = None) -> list[Document]:
    """The first unresolved `Issue`s in the order of the work: of all, or of each member of a dimension that has some."""
    each = f"PARTITION BY {dimension}" if dimension else ""
    return rows(
        con,
        Issue,
        f"""FROM mart.error_issues WHERE triage_rank IS NOT NULL{f" AND {dimension} IS NOT NULL" if dimension else ""}
        QUALIFY row_number() OVER ({each} ORDER BY triage_rank) <= {most} ORDER BY triage_rank""",
    )


def releases(con: duckdb.DuckDBPyConnection) -> list[Document]:
    """The newest `Release`s of each service, the newest first."""
    return rows(
        con,
        Release,
        f"""FROM mart.release_health
        QUALIFY row_number() OVER (PARTITION BY service ORDER BY released_at DESC NULLS LAST, version DESC) <= {MAX_RELEASES}
        ORDER BY {by_name("service")}, released_at DESC NULLS LAST, version DESC""",
    )


def numbers(errors: Document) -> Document:
    """What is plotted from night to night; empty without an error tracker."""
    if not errors["coverage"]:
        return {}
    found: Document = {"error_issues_unresolved": errors["unresolved_count"]}
    for row in errors["counts"]:
        if row["status"] == "unresolved" and row["class"]:
            found[f"error_issues_{row['class']}"] = row["n"]
    for state, n in (errors["fixes"] or {}).items():
        found[f"error_fixes_{'' if state == 'n' else state}".rstrip("_") + "_90_days"] = n
    return found


_RECENT_FIX = """FROM mart.error_issues AS e CROSS JOIN config.run AS run
    WHERE e.fix_state IS NOT NULL AND epoch_us(e.fix_at) >= epoch_us(run.as_of) - 90 * 86400000000"""
_FIXES = f"""SELECT count(*) AS n,
        {", ".join(f"count(*) FILTER (e.fix_state = '{state}') AS {state}" for state in Fixes.__struct_fields__[1:])}
    {_RECENT_FIX} HAVING count(*) > 0"""
_INEFFECTIVE = f"""SELECT {columns(Fix)} FROM (
        SELECT e.*, d.version AS fix_version, d.url AS fix_url
        FROM (SELECT e.* {_RECENT_FIX} AND e.fix_state = 'ineffective') AS e
        LEFT JOIN (SELECT deploy_id, any_value(version) AS version, any_value(url) AS url FROM mart.deploys GROUP BY deploy_id) AS d
            ON d.deploy_id = e.fix_deploy_id
    )
    ORDER BY fix_at DESC, source, external_id LIMIT {MAX_FIXES}"""
