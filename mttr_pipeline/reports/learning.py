"""learning.json: post-mortems, what comes back, noise, who notices first, who owns, and what being on call costs.

Nothing is compared by a test, so no figure is a verdict. Persons are in no document.
"""

from __future__ import annotations

from typing import Annotated, Literal

import duckdb
from msgspec import Meta

from mttr_pipeline.reports.document import (
    Count,
    Document,
    Head,
    Instant,
    JsonObject,
    Named,
    WindowStart,
    by_name,
    columns,
    head,
    query,
    rows,
)
from mttr_pipeline.reports.evidence import ANY_POST_MORTEM, POST_MORTEM_STATE

MAX_LISTED = 50
MAX_REPEATERS = 5


class Row(JsonObject):
    """One member and window."""

    scope: Literal["all", "severity", "team", "rota", "rule"]
    scope_value: str
    window_start: WindowStart
    window_end: Instant | None


class PostMortems(Row):
    """Post-mortems of the incidents of SEV1 and SEV2 that began in the window, and follow-up actions."""

    n_wanted: Annotated[Count, Meta(description="incidents of SEV1 and SEV2 that were resolved")]
    n_not_due: Annotated[Count, Meta(description="of n_wanted: not due yet, and in no share")]
    n: Annotated[Count, Meta(description="the n of both shares")]
    completed: Annotated[int | None, Meta(description="null = no post-mortem of any incident is known")]
    completion_pct: float | None
    completion_low_pct: float | None
    completion_high_pct: float | None
    on_time: int | None
    on_time_pct: float | None
    on_time_low_pct: float | None
    on_time_high_pct: float | None
    median_days: float | None
    n_days: Count
    actions: Count
    open_actions: Count
    overdue_actions: Count
    open_action_median_age_days: float | None
    n_action_ages: Count
    tested: Annotated[int | None, Meta(description="null = nothing in the whole history says that a test was added")]
    test_added_pct: float | None
    test_added_low_pct: float | None
    test_added_high_pct: float | None


class Overdue(Named):
    """An incident whose post-mortem is due and not completed."""

    state: Annotated[
        Literal["missing", "overdue"], Meta(description="missing = there is none; overdue = it is not completed")
    ]
    post_mortem_key: str | None
    post_mortem_url: str | None
    resolved_at: Instant
    due_at: Instant


class Recurrence(Row):
    """Incidents that came back within 30 days, of those that were observed for them."""

    n_incidents: Count
    n_not_observed: Count
    n_without_key: Count
    n: Count
    recurred: Count
    recurrence_pct: float | None
    recurrence_low_pct: float | None
    recurrence_high_pct: float | None


class Repeater(JsonObject):
    """One of the five that came back most often."""

    window_start: WindowStart
    window_end: Instant | None
    place: Annotated[int, Meta(ge=1, le=MAX_REPEATERS)]
    kind: Literal["episode", "dedup key", "root cause"]
    repeat_key: str | None
    service: str | None
    title: str | None
    url: Annotated[str | None, Meta(description="page of its last incident")]
    incidents: Annotated[int, Meta(ge=2)]
    minutes: float
    last_incident_id: str
    last_started_at: Instant


class Noise(Row):
    """Incidents that resolved automatically and that nobody acknowledged, and the pages that they cost."""

    source: Annotated[str | None, Meta(description="of the alerts of a rule; null for the other scopes")]
    n: Count
    noise: Count
    noise_pct: float
    noise_low_pct: float
    noise_high_pct: float
    pages: Count
    night_pages: Count
    noise_pages: Count
    noise_night_pages: Count


class Detection(Row):
    """Incidents that one kind of source noticed first."""

    detected_by: Literal["monitor", "customer", "employee", "release", "unknown"]
    n: Count
    n_incidents: Count
    n_known: Annotated[Count, Meta(description="incidents of which it is known who noticed them: the n of the share")]
    share_pct: float | None
    share_low_pct: float | None
    share_high_pct: float | None
    mttd_median_minutes: float | None
    n_detection: Count


class Ownership(Row):
    """Incidents with an owner, and the time to the first assignment."""

    n: Count
    n_service: Count
    service_pct: float
    n_team: Count
    team_pct: float
    n_both: Count
    both_pct: float
    both_low_pct: float
    both_high_pct: float
    assignment_median_minutes: float | None
    n_assigned: Count


class Unowned(JsonObject):
    """An incident without a service or a team."""

    incident_id: str
    source: str
    external_id: str
    key: str | None
    title: str | None
    url: str | None
    severity: str
    status: str
    service: str | None
    team: str | None
    lacks: Literal["service", "team", "both"]
    is_open: bool
    started_at: Instant
    age_days: float


class OncallLoad(Row):
    """Pages of a team or rota."""

    pages: Count
    night_pages: Count
    night_pct: float | None
    interrupted_hours: Count
    notifications: int | None
    n_by_notification: Count
    acknowledgment_median_minutes: float | None
    n_acknowledged: Count


class Learning(Head):
    """What is learned from incidents, of all and of each severity and team. Empty lists: nothing of the kind is known."""

    post_mortems: list[PostMortems]
    overdue_count: Annotated[Count, Meta(description="incidents whose post-mortem is due and not completed")]
    overdue: Annotated[
        list[Overdue],
        Meta(
            description="empty where no post-mortem of any incident is known; the most severe first, then the longest overdue, "
            f"at most {MAX_LISTED}"
        ),
    ]
    recurrence: list[Recurrence]
    repeaters: list[Repeater]
    noise: list[Noise]
    noisy_rules: Annotated[
        list[Noise],
        Meta(
            description="alert rules with noise in the last 30 days; those that cost the most night pages, then pages, first, "
            f"at most {MAX_LISTED}"
        ),
    ]
    detection: list[Detection]
    ownership: list[Ownership]
    unowned_count: Count
    unowned: Annotated[
        list[Unowned], Meta(description=f"open, or begun in the last 30 days; open ones first, at most {MAX_LISTED}")
    ]
    oncall: Annotated[list[OncallLoad], Meta(description="of all, each team and each rota; empty without a pager")]


def document(con: duckdb.DuckDBPyConnection) -> Document:
    """A `Learning`."""
    return {
        **head(con),
        "post_mortems": _of(con, PostMortems, "learning", "WHERE n_wanted + actions > 0 AND"),
        "overdue_count": query(con, f"SELECT count(*) AS n {_OVERDUE}")[0]["n"],
        "overdue": overdue(con, MAX_LISTED),
        "recurrence": _of(con, Recurrence, "recurrence"),
        "repeaters": query(con, _REPEATERS),
        "noise": _of(con, Noise, "noise"),
        "noisy_rules": rows(
            con,
            Noise,
            f"""FROM mart.noise WHERE scope = 'rule' AND noise > 0
                AND epoch_us(window_start) = (SELECT epoch_us(window_start) FROM core.windows WHERE name = 'current')
            ORDER BY noise_night_pages DESC, noise_pages DESC, noise DESC, {by_name("scope_value")}, source LIMIT {MAX_LISTED}""",
        ),
        "detection": _of(con, Detection, "detection_sources", also=", detected_by"),
        "ownership": _of(con, Ownership, "ownership"),
        "unowned_count": query(con, "SELECT count(*) AS n FROM mart.unowned_incidents")[0]["n"],
        "unowned": rows(
            con,
            Unowned,
            f"FROM mart.unowned_incidents ORDER BY is_open DESC, severity, started_at, incident_id LIMIT {MAX_LISTED}",
        ),
        "oncall": _of(con, OncallLoad, "oncall_load"),
    }


def overdue(con: duckdb.DuckDBPyConnection, most: int, dimension: str | None = None) -> list[Document]:
    """The first of those that are `Overdue`, the most severe and then the longest: of all, or of each member of a dimension."""
    each = f"PARTITION BY {dimension}" if dimension else ""
    return query(
        con,
        f"""SELECT {columns(Overdue)} FROM (
            SELECT i.incident_id, i.source, i.external_id, i.key, i.title, i.url, f.severity,
                coalesce(f.service, 'unknown') AS service, coalesce(f.team, 'unknown') AS team, f.state,
                f.key AS post_mortem_key, f.url AS post_mortem_url, f.resolved_at, f.due_at
            FROM (SELECT *, {POST_MORTEM_STATE} AS state {_OVERDUE}) AS f
            JOIN mart.incidents AS i ON i.incident_id = f.incident_id
        )
        QUALIFY row_number() OVER ({each} ORDER BY severity, due_at, incident_id) <= {most}
        ORDER BY severity, due_at, incident_id""",
    )


def at(listed: list[Document], start: str | None) -> list[Document]:
    """The rows of the window that starts then."""
    return [row for row in listed if row["window_start"] == start]


def customers(learning: Document, start: str | None) -> Document | None:
    """The row of the share that customers detected, of all; None where nobody knows who noticed any incident.

    Where customers noticed none, there is no row of them: that is 0 of those that are known.
    """
    found = [row for row in at(learning["detection"], start) if row["scope"] == "all"]
    known = next((row for row in found if row["n_known"]), None)
    return next((row for row in found if row["detected_by"] == "customer" and row["n_known"]), None) if known else None


def numbers(learning: Document, start: str) -> Document:
    """What is plotted from night to night, of the last 30 days; what has no value is null."""
    found: Document = {}
    for row in learning["post_mortems"]:
        if row["scope"] == "all" and row["window_start"] is None and row["completed"] is not None:
            found |= {
                "post_mortem_completion_pct": row["completion_pct"],
                "post_mortems_due": row["n"],
                "open_actions": row["open_actions"],
            }
            found["post_mortems_overdue"] = learning["overdue_count"]
    for row in learning["recurrence"]:
        if row["scope"] == "all" and row["window_start"] is None and row["n"]:
            found |= {"recurrence_pct": row["recurrence_pct"], "recurrence_n": row["n"]}
    for row in at(learning["noise"], start):
        if row["scope"] == "all":
            found |= {"noise_pct": row["noise_pct"], "noise_n": row["n"], "noise_night_pages": row["noise_night_pages"]}
    if row := customers(learning, start):
        found |= {"detected_by_customers_pct": row["share_pct"], "detected_by_known_n": row["n_known"]}
    for row in at(learning["oncall"], start):
        if row["scope"] == "all":
            found |= {"pages": row["pages"], "night_pages": row["night_pages"]}
    return found


def _of(
    con: duckdb.DuckDBPyConnection, kind: type[JsonObject], table: str, where: str = "WHERE", also: str = ""
) -> list[Document]:
    """The rows of a table, of all, each severity, team and rota: those of services are on the pages of services."""
    return rows(
        con,
        kind,
        f"""FROM mart.{table} {where} scope IN ('all', 'severity', 'team', 'rota')
        ORDER BY scope, {by_name("scope_value")}, window_start NULLS FIRST{also}""",
    )


_OVERDUE = f"FROM mart.follow_ups WHERE is_wanted AND is_due AND completed_at IS NULL AND {ANY_POST_MORTEM}"
_REPEATERS = f"""SELECT {columns(Repeater)} FROM mart.repeaters AS r
    LEFT JOIN (SELECT incident_id, url FROM mart.incidents) AS i ON i.incident_id = r.last_incident_id
    ORDER BY window_start NULLS FIRST, place"""
