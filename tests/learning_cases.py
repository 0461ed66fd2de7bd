"""Incidents with what was learned from them, put straight into the tables that these figures are made of, and a plain reference.

The reference is written from the definitions (METRICS, from Detection source to On-call load), with lists and loops, and shares
nothing with the product. How vendors' records become rows of staging tables is tested elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from correlation_cases import DAY, HOUR, Link, Rec, build, fill
from hypothesis import strategies as st
from support import AS_OF, AS_OF_US, copy_database, empty, settings_for

from mttr_pipeline.warehouse.database import Warehouse

MINUTE = 60_000_000
ZONE, TEAM_ZONE = "Europe/Berlin", "Asia/Kolkata"
FILE: dict[str, Any] = {
    "reporting_time_zone": ZONE,
    "oncall": {"per_person": True, "time_zones": {"Team A": TEAM_ZONE}},
}
TABLES = (
    *("core.links", "core.groups", "core.members", "core.evidence", "core.golden", "core.incidents", "core.incident_sources"),
    *("core.scope_members", "facts.matched", "core.people", "core.origins", "core.assignments", "core.pages", "core.repeats"),
    *("core.follow_ups", "facts.learned", "mart.detection_sources", "mart.ownership", "mart.unowned_incidents"),
    *("mart.recurrence", "mart.repeaters", "mart.noise", "mart.oncall_load", "mart.follow_ups", "mart.learning"),
)  # fmt: skip
FOLLOW_UP = {
    **dict.fromkeys(("source", "external_id", "kind", "incident_source", "incident_id", "key", "title", "url"), pl.String),
    **dict.fromkeys(("service", "team", "status", "landed_in"), pl.String),
    **dict.fromkeys(("created_at", "due_at", "completed_at"), pl.Int64),
    "is_test": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """An incident: its record, and what else is known. `ticket` says whether a ticket is linked to it."""

    rec: Rec
    auto_resolved: bool = False
    detected_by: str | None = None
    via: str | None = None
    rule: str | None = None
    assigned: tuple[int, ...] = ()
    notified: tuple[tuple[int, str], ...] = ()
    acknowledged_by: str | None = None
    rota: str | None = None
    ticket: bool = False
    ticket_detected_by: str | None = None
    ticket_via: str | None = None

    @property
    def id(self) -> str:
        return self.rec.id

    @property
    def ticket_rec(self) -> Rec:
        """Made after the page, and of the same things."""
        at = {"detected": self.rec.at["detected"] + 1}
        told = {
            name: getattr(self.rec, name) for name in ("severity", "severity_source", "service", "team", "category")
        }
        return Rec("jira", f"{self.id}-ticket", at, **told)


@dataclass(frozen=True)
class Follow:
    """A row of `staging.follow_ups`; instants are microseconds."""

    id: str
    kind: str
    of: str
    by_ticket: bool = False
    created_at: int | None = None
    due_at: int | None = None
    completed_at: int | None = None
    is_test: bool | None = None


@contextmanager
def learned(
    folder: Path,
    told: Sequence[Told],
    follow_ups: Sequence[Follow] = (),
    file: dict[str, Any] | None = None,
    tables: Sequence[str] = TABLES,
) -> Iterator[Warehouse]:
    """A warehouse with the tables of these incidents. Every promise was checked."""
    copy_database(empty(), folder)
    warehouse = Warehouse(folder / "work.duckdb", settings_for(folder, FILE if file is None else file), AS_OF, "run")
    try:
        tickets = [one.ticket_rec for one in told if one.ticket]
        links = [Link("jira", f"{one.id}-ticket", "vendor", "id", one.id, one.rec.source) for one in told if one.ticket]
        fill(warehouse, [*(one.rec for one in told), *tickets], links)
        _more(warehouse, told)
        _follow(warehouse, told, follow_ups)
        build(warehouse, tables)
        yield warehouse
    finally:
        warehouse.close()


def _more(warehouse: Warehouse, told: Sequence[Told]) -> None:
    """What `correlation_cases` does not know of records; their events; and who was called."""
    con = warehouse.con
    rows: list[tuple[Any, ...]] = []
    for one in told:
        rows.append((one.rec.source, one.id, one.auto_resolved, one.detected_by, one.via, one.rule))
        if one.ticket:
            rows.append(("jira", f"{one.id}-ticket", False, one.ticket_detected_by, one.ticket_via, None))
    names = ("source", "external_id", "auto_resolved", "detected_by", "reported_via", "alert_rule")
    schema: dict[str, Any] = dict.fromkeys(names, pl.String) | {"auto_resolved": pl.Boolean}
    con.register("drawn", pl.DataFrame(rows, schema=schema, orient="row").to_arrow())
    con.execute(
        """UPDATE core.standalone AS s
        SET auto_resolved = d.auto_resolved, resolution_kind = CASE WHEN d.auto_resolved THEN 'integration' END
        FROM drawn AS d WHERE d.source = s.source AND d.external_id = s.external_id"""
    )
    con.execute(
        """UPDATE core.vendor_records AS r SET detected_by = d.detected_by, reported_via = d.reported_via, alert_rule = d.alert_rule
        FROM drawn AS d WHERE d.source = r.source AND d.external_id = r.external_id"""
    )
    con.unregister("drawn")
    events: list[tuple[Any, ...]] = []
    for one in told:
        found = [("assigned", at, None, "integration") for at in one.assigned]
        found += [("notified", at, person, "human") for at, person in one.notified]
        if one.acknowledged_by is not None:
            found.append(("acknowledged", one.rec.at["acknowledged"], one.acknowledged_by, "human"))
        events += [(one.rec.source, one.id, f"{one.id}/{n}", one.rec.episode, *event) for n, event in enumerate(found)]
    columns = ("source", "record_id", "event_id", "episode", "event_type", "happened", "actor", "actor_kind")
    types: dict[str, Any] = dict.fromkeys(columns, pl.String) | {"episode": pl.Int64, "happened": pl.Int64}
    con.register("drawn", pl.DataFrame(events, schema=types, orient="row").to_arrow())
    con.execute("DELETE FROM core.timeline")
    con.execute(
        """INSERT INTO core.timeline BY NAME
        SELECT * EXCLUDE (happened), record_id AS member_id, make_timestamp(happened) AS happened_at, 9 AS rank, 'api' AS provenance
        FROM drawn"""
    )
    con.execute("CREATE OR REPLACE TABLE main.given_events AS SELECT actor, actor_kind FROM drawn")
    con.execute("CREATE OR REPLACE VIEW staging.events AS FROM main.given_events")
    con.unregister("drawn")
    called = [(one.rec.source, one.id, one.rota, "escalation") for one in told if one.rota]
    called += [(one.rec.source, one.id, "somebody", "user") for one in told]
    given = dict.fromkeys(("source", "external_id", "responder", "kind"), pl.String)
    con.register("drawn", pl.DataFrame(called, schema=given, orient="row").to_arrow())
    con.execute("CREATE OR REPLACE TABLE main.given_responders AS FROM drawn")
    con.execute("CREATE OR REPLACE VIEW staging.responders AS FROM main.given_responders")
    con.unregister("drawn")


def _follow(warehouse: Warehouse, told: Sequence[Told], follow_ups: Sequence[Follow]) -> None:
    source = {one.id: one.rec.source for one in told}
    rows = [
        {
            "source": "jira",
            "external_id": one.id,
            "kind": one.kind,
            "incident_source": "jira" if one.by_ticket else source.get(one.of, "pagerduty"),
            "incident_id": f"{one.of}-ticket" if one.by_ticket else one.of,
            "title": f"about {one.of}",
            "created_at": one.created_at,
            "due_at": one.due_at,
            "completed_at": one.completed_at,
            "is_test": one.is_test,
        }
        for one in follow_ups
    ]
    warehouse.con.register("drawn", pl.DataFrame(rows, schema=FOLLOW_UP).to_arrow())
    stamps = ", ".join(f"make_timestamp({name}) AS {name}" for name in ("created_at", "due_at", "completed_at"))
    warehouse.con.execute(f"CREATE OR REPLACE TABLE main.given_follow_ups AS SELECT * REPLACE ({stamps}) FROM drawn")
    warehouse.con.unregister("drawn")
    warehouse.con.execute("CREATE OR REPLACE VIEW staging.follow_ups AS FROM main.given_follow_ups")


# -- the reference -----------------------------------------------------------------------------------------------------

WINDOWS: dict[str, tuple[float, float]] = {
    "whole": (float("-inf"), float("inf")),
    "current": (AS_OF_US - 30 * DAY, AS_OF_US),
    "previous": (AS_OF_US - 60 * DAY, AS_OF_US - 30 * DAY),
}
Where = tuple[str, str, str]  # window, scope, member


def median(values: Sequence[float]) -> float | None:
    values = sorted(values)
    if not values:
        return None
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def share(k: int | None, n: int) -> float | None:
    return None if k is None or n == 0 else 100 * k / n


def wilson(k: int | None, n: int) -> tuple[float | None, float | None]:
    """Limits in percent, from the definition: the roots of (p - k/n)^2 = z^2 p (1 - p) / n."""
    if k is None or n == 0:
        return None, None
    z2 = 1.959963984540054**2
    a, b, c = 1 + z2 / n, -(2 * k / n + z2 / n), (k / n) ** 2
    root = max(0.0, b * b - 4 * a * c) ** 0.5
    return 100 * (-b - root) / (2 * a), 100 * (-b + root) / (2 * a)


def started(one: Told) -> int:
    return one.rec.at["detected"]


def scopes(told: Sequence[Told], at: Callable[[Told], int] = started) -> Iterator[tuple[Where, list[Told]]]:
    """The incidents of every window and member that has one."""
    found: dict[Where, list[Told]] = {}
    for one in told:
        members = [
            ("all", "all"),
            ("severity", one.rec.severity),
            ("service", one.rec.service or "unknown"),
            ("team", one.rec.team or "unknown"),
        ]
        for window, (start, end) in WINDOWS.items():
            if start <= at(one) < end:
                for scope, member in members:
                    found.setdefault((window, scope, member), []).append(one)
    yield from found.items()


def noticed(one: Told) -> str:
    """Who noticed an incident: a field of any of its records, else what its page says, else its ticket."""
    said = [(one.via, one.detected_by)] + ([(one.ticket_via, one.ticket_detected_by)] if one.ticket else [])
    said = [(via, by) for via, by in said if by is not None]
    fields = [by for via, by in said if via == "field"]
    return (fields or [by for _, by in said] or ["unknown"])[0] or "unknown"


def detection_sources(told: Sequence[Told]) -> dict[tuple[Where, str], dict[str, Any]]:
    rows = {}
    for where, ones in scopes(told):
        known = [one for one in ones if noticed(one) != "unknown"]
        for by in {noticed(one) for one in ones}:
            mine = [one for one in ones if noticed(one) == by]
            minutes = [
                (one.rec.at["detected"] - one.rec.at["occurred"]) / MINUTE
                for one in mine
                if "occurred" in one.rec.at and one.rec.at["occurred"] <= one.rec.at["detected"]
            ]
            k = None if by == "unknown" else len(mine)
            low, high = wilson(k, len(known))
            rows[where, by] = {
                "n": len(mine),
                "n_incidents": len(ones),
                "n_known": len(known),
                "share_pct": share(k, len(known)),
                "share_low_pct": low,
                "share_high_pct": high,
                "mttd_mean_minutes": sum(minutes) / len(minutes) if minutes else None,
                "mttd_median_minutes": median(minutes),
                "n_detection": len(minutes),
            }
    return rows


def ownership(told: Sequence[Told]) -> dict[Where, dict[str, Any]]:
    rows = {}
    for where, ones in scopes(told):
        minutes = [
            (min(one.assigned) - started(one)) / MINUTE
            for one in ones
            if one.assigned and min(one.assigned) >= started(one)
        ]
        service, team = (sum(getattr(one.rec, name) is not None for one in ones) for name in ("service", "team"))
        both = sum(one.rec.service is not None and one.rec.team is not None for one in ones)
        low, high = wilson(both, len(ones))
        rows[where] = {
            "n": len(ones),
            "n_service": service,
            "service_pct": share(service, len(ones)),
            "n_team": team,
            "team_pct": share(team, len(ones)),
            "n_both": both,
            "both_pct": share(both, len(ones)),
            "both_low_pct": low,
            "both_high_pct": high,
            "assignment_median_minutes": median(minutes),
            "n_assigned": len(minutes),
        }
    return rows


def keys(one: Told) -> set[tuple[str, str, str | None]]:
    """What an incident is recognised by. Two episodes of a record are told apart by the test that has them."""
    found: set[tuple[str, str, str | None]] = set()
    if one.rec.dedup_key:
        found.add(("dedup key", one.rec.dedup_key, one.rec.service))
    if one.rec.category and one.rec.service:
        found.add(("root cause", one.rec.category, one.rec.service))
    return found


def order(one: Told) -> tuple[int, str]:
    return started(one), one.id


def recurrence(told: Sequence[Told]) -> dict[Where, dict[str, Any]]:
    rows = {}
    for where, ones in scopes(told):
        observed = [one for one in ones if started(one) + 30 * DAY <= AS_OF_US]
        asked = [one for one in observed if keys(one)]
        came_back = [
            one
            for one in asked
            if any(
                keys(one) & keys(other)
                and other is not one
                and _follows(one, other)
                and started(other) - started(one) <= 30 * DAY
                for other in told
            )
        ]
        low, high = wilson(len(came_back), len(asked))
        rows[where] = {
            "n_incidents": len(ones),
            "n_not_observed": len(ones) - len(observed),
            "n_without_key": len(observed) - len(asked),
            "n": len(asked),
            "recurred": len(came_back),
            "recurrence_pct": share(len(came_back), len(asked)),
            "recurrence_low_pct": low,
            "recurrence_high_pct": high,
        }
    return rows


def _follows(one: Told, other: Told) -> bool:
    """Incidents of the same instant follow each other in the order of the table, which is that of ids within an instant."""
    return (started(other), place(other)) > (started(one), place(one))


def place(one: Told) -> str:
    """Among incidents of one instant any order will do: each but one has another after it. Tests keep instants apart."""
    return one.id


def repeaters(told: Sequence[Told]) -> dict[tuple[str, int], tuple[int, float]]:
    """Incidents and minutes of the five worst of each window."""
    found: dict[tuple[str, int], tuple[int, float]] = {}
    for window, (start, end) in WINDOWS.items():
        groups: dict[frozenset[str], tuple[int, float]] = {}
        for key in {key for one in told for key in keys(one)}:
            same = sorted((one for one in told if key in keys(one)), key=order)
            near = [
                one
                for n, one in enumerate(same)
                if (n and started(one) - started(same[n - 1]) <= 30 * DAY)
                or (n + 1 < len(same) and started(same[n + 1]) - started(one) <= 30 * DAY)
            ]
            near = [one for one in near if start <= started(one) < end]
            if len(near) >= 2:
                spent = [max(0, one.rec.at.get("resolved", AS_OF_US) - started(one)) for one in near]
                groups[frozenset(one.id for one in near)] = (len(near), sum(spent) / MINUTE)
        worst = sorted(groups.values(), key=lambda group: (-group[0], -group[1]))[:5]
        found |= {(window, number): group for number, group in enumerate(worst, 1)}
    return found


def rule(one: Told) -> tuple[str, str] | None:
    """Source and name of the alert rule of an incident; none of a ticket."""
    if one.rec.source == "jira":
        return None
    name = one.rule or template(one.rec.title or "")
    return (one.rec.source, name) if name else None


def template(title: str) -> str:
    title = re.sub("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "#", title)
    title = re.sub(r"\b[0-9a-fA-F]{12,}\b", "#", title)
    return " ".join(re.sub("[0-9]+([.,:][0-9]+)*", "#", title).split())[:120]


def is_noise(one: Told) -> bool:
    return one.auto_resolved and "resolved" in one.rec.at and "acknowledged" not in one.rec.at


def noise(told: Sequence[Told]) -> dict[tuple[Where, str | None], dict[str, Any]]:
    alerts = [one for one in told if rule(one)]
    groups: dict[tuple[Where, str | None], list[Told]] = {(where, None): ones for where, ones in scopes(alerts)}
    for (window, scope, _), ones in scopes(alerts):
        if scope == "all":
            for source, name in {rule(one) or ("", "") for one in ones}:
                mine = [one for one in ones if rule(one) == (source, name)]
                if len(mine) >= 2:
                    groups[(window, "rule", name), source] = mine
    rows = {}
    for key, ones in groups.items():
        silent = [one for one in ones if is_noise(one)]
        low, high = wilson(len(silent), len(ones))
        rows[key] = {
            "n": len(ones),
            "noise": len(silent),
            "noise_pct": share(len(silent), len(ones)),
            "noise_low_pct": low,
            "noise_high_pct": high,
            "pages": sum(len(pages_of(one, told)) for one in ones),
            "night_pages": sum(page.is_night for one in ones for page in pages_of(one, told)),
            "noise_pages": sum(len(pages_of(one, told)) for one in silent),
            "noise_night_pages": sum(page.is_night for one in silent for page in pages_of(one, told)),
        }
    return rows


@dataclass(frozen=True)
class Page:
    one: Told
    at: int
    local: datetime
    by_notification: bool

    @property
    def is_night(self) -> bool:
        return not 8 <= self.local.hour < 22

    @property
    def hour(self) -> datetime:
        return self.local.replace(minute=0, second=0, microsecond=0, tzinfo=None)

    @property
    def acknowledged(self) -> float | None:
        at = self.one.rec.at.get("acknowledged")
        is_person = self.one.rec.acknowledged_by not in ("integration", "timeout")
        return (at - self.at) / MINUTE if at is not None and is_person and at >= self.at else None


def local(at: int, zone: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(ZoneInfo(zone))


def pages_of(one: Told, told: Sequence[Told]) -> list[Page]:
    """The page of an incident; none of a ticket, and of one that notified nobody where its source tells of that."""
    if one.rec.source not in ("pagerduty", "opsgenie"):
        return []
    tells = any(other.notified for other in told if other.rec.source == one.rec.source)
    if tells and not one.notified:
        return []
    at = min(at for at, _ in one.notified) if tells else one.rec.at["detected"]
    return [Page(one, at, local(at, TEAM_ZONE if one.rec.team == "Team A" else ZONE), tells)]


def oncall_load(told: Sequence[Told]) -> dict[Where, dict[str, Any]]:
    groups: dict[Where, list[tuple[Page, int]]] = {}
    for one in told:
        for page in pages_of(one, told):
            members = [("all", "all", len(one.notified)), ("team", one.rec.team or "unknown", len(one.notified))]
            members += [("rota", one.rota, len(one.notified))] if one.rota else []
            called = [person for _, person in one.notified]
            for person in set(called) or ({one.acknowledged_by} - {None}):
                members.append(("person", str(person), called.count(str(person)) or len(one.notified)))
            for window, (start, end) in WINDOWS.items():
                if start <= page.at < end:
                    for scope, member, n in members:
                        groups.setdefault((window, scope, member), []).append((page, n))
    rows = {}
    for where, found in groups.items():
        pages = [page for page, _ in found]
        told_of = [n for page, n in found if page.by_notification]
        minutes = [page.acknowledged for page in pages if page.acknowledged is not None]
        night = sum(page.is_night for page in pages)
        rows[where] = {
            "pages": len(pages),
            "night_pages": night,
            "night_pct": share(night, len(pages)),
            "interrupted_hours": len({page.hour for page in pages}),
            "notifications": sum(told_of) if told_of else None,
            "n_by_notification": len(told_of),
            "acknowledgment_median_minutes": median(minutes),
            "n_acknowledged": len(minutes),
        }
    return rows


def due(resolved: int) -> int:
    """The fifth weekday after a resolve, at its time of day by the clocks of the report."""
    at, days = local(resolved, ZONE).replace(tzinfo=None), 0
    while days < 5:
        at += timedelta(days=1)
        days += at.weekday() < 5
    return round(at.replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1_000_000)


@dataclass
class Learning:
    """What is known of one incident."""

    one: Told
    post_mortem: Follow | None
    actions: list[Follow] = field(default_factory=list)

    @property
    def is_wanted(self) -> bool:
        return self.one.rec.severity in ("SEV1", "SEV2") and "resolved" in self.one.rec.at

    @property
    def due_at(self) -> int | None:
        return due(self.one.rec.at["resolved"]) if self.is_wanted else None

    @property
    def is_due(self) -> bool:
        return self.due_at is not None and self.due_at < AS_OF_US

    @property
    def completed_at(self) -> int | None:
        return known(self.post_mortem) if self.post_mortem else None


def known(one: Follow) -> int | None:
    """When it was completed, as far as that has happened."""
    return one.completed_at if one.completed_at is not None and one.completed_at <= AS_OF_US else None


def learnings(told: Sequence[Told], follow_ups: Sequence[Follow]) -> list[Learning]:
    found = []
    for one in told:
        mine: dict[tuple[str, str], Follow] = {}
        for each in follow_ups:
            if each.of == one.id and (each.created_at is None or each.created_at <= AS_OF_US):
                mine.setdefault((each.kind, each.id), each)
        written = [each for (kind, _), each in mine.items() if kind == "post_mortem"]
        last = float("inf")
        written.sort(
            key=lambda each: (
                last if known(each) is None else known(each),
                last if each.created_at is None else each.created_at,
                each.id,
            )
        )
        actions = [each for (kind, _), each in mine.items() if kind == "action"]
        found.append(Learning(one, written[0] if written else None, actions))
    return found


def learning(told: Sequence[Told], follow_ups: Sequence[Follow]) -> dict[Where, dict[str, Any]]:
    all_of_them = {each.one.id: each for each in learnings(told, follow_ups)}
    has_any = any(each.post_mortem for each in all_of_them.values())
    has_tests = any(
        follow.is_test
        for each in all_of_them.values()
        for follow in (each.post_mortem, *each.actions)
        if follow is not None
    )
    rows = {}
    for where, ones in scopes(told):
        mine = [all_of_them[one.id] for one in ones]
        mine = [each for each in mine if each.is_wanted or each.post_mortem or each.actions]
        if not mine:
            continue
        wanted = [each for each in mine if each.is_wanted]
        asked = [each for each in wanted if each.is_due]
        completed = [each for each in asked if each.completed_at is not None]
        on_time = [each for each in completed if each.completed_at <= each.due_at]  # type: ignore[operator]
        days = [(each.completed_at - each.one.rec.at["resolved"]) / DAY for each in completed]  # type: ignore[operator]
        days = [number for number in days if number >= 0]
        waiting = [action for each in mine for action in each.actions if known(action) is None]
        ages = [(AS_OF_US - action.created_at) / DAY for action in waiting if action.created_at is not None]
        tested = [each for each in wanted if any(f.is_test for f in (each.post_mortem, *each.actions) if f is not None)]
        k, on, t = len(completed), len(on_time), len(tested)
        rows[where] = {
            "n_wanted": len(wanted),
            "n_not_due": len(wanted) - len(asked),
            "n": len(asked),
            "completed": k if has_any else None,
            "completion_pct": share(k, len(asked)) if has_any else None,
            "completion_low_pct": wilson(k, len(asked))[0] if has_any else None,
            "completion_high_pct": wilson(k, len(asked))[1] if has_any else None,
            "on_time": on if has_any else None,
            "on_time_pct": share(on, len(asked)) if has_any else None,
            "on_time_low_pct": wilson(on, len(asked))[0] if has_any else None,
            "on_time_high_pct": wilson(on, len(asked))[1] if has_any else None,
            "median_days": median(days),
            "n_days": len(days),
            "actions": sum(len(each.actions) for each in mine),
            "open_actions": len(waiting),
            "overdue_actions": sum(action.due_at is not None and action.due_at < AS_OF_US for action in waiting),
            "open_action_median_age_days": median(ages),
            "n_action_ages": len(ages),
            "tested": t if has_tests else None,
            "test_added_pct": share(t, len(wanted)) if has_tests else None,
            "test_added_low_pct": wilson(t, len(wanted))[0] if has_tests else None,
            "test_added_high_pct": wilson(t, len(wanted))[1] if has_tests else None,
        }
    return rows


# -- drawn worlds ------------------------------------------------------------------------------------------------------

TITLES = ("CPU at 93% on web-12", "CPU at  7.5% on web-3", "Disk full", "job 1a2b3c4d5e6f7a8b failed", "12", None)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Told], list[Follow]]:
    """Few services, teams, keys and rules, and instants around every limit, so that everything meets everything."""
    told = []
    tells = draw(st.booleans())
    for number in range(draw(st.integers(0, 24))):
        # Instants are kept apart by their number: which of two at the same instant comes first is nobody's business.
        back = (
            draw(st.sampled_from([0, 30, 60]) | st.integers(0, 75)) * DAY + draw(st.sampled_from([0, 1, 7, 40])) * HOUR
        )
        at = {"detected": AS_OF_US - back - number - (0 if back else HOUR)}
        source = draw(st.sampled_from(["pagerduty", "pagerduty", "opsgenie", "jira", "alertmanager"]))
        if draw(st.booleans()):
            at["occurred"] = at["detected"] - draw(st.integers(-10, 90)) * MINUTE
        if draw(st.booleans()):
            at["acknowledged"] = at["detected"] + draw(st.integers(0, 40)) * MINUTE
        if draw(st.integers(0, 3)):
            at["resolved"] = at["detected"] + draw(st.integers(0, 9 * 24 * 60)) * MINUTE
        by = draw(st.sampled_from(["human", "integration", None])) if "acknowledged" in at else None
        rec = Rec(
            source,
            f"i{number:02}",
            at,
            severity=draw(st.sampled_from(["SEV1", "SEV2", "SEV3"])),
            severity_source="field",
            service=draw(st.sampled_from([None, "Checkout", "Search"])),
            team=draw(st.sampled_from([None, "Team A", "Team B"])),
            dedup_key=draw(st.sampled_from([None, None, "k1", "k2"])),
            category=draw(st.sampled_from([None, None, "config", "capacity"])),
            title=draw(st.sampled_from(TITLES)),
            acknowledged_by=by,
        )
        people = st.sampled_from(["ana", "Ben"])
        minutes = st.lists(st.integers(-3, 200), max_size=2)
        notified = (
            draw(st.lists(st.tuples(st.integers(0, 30), people), max_size=3)) if tells and source == "pagerduty" else []
        )
        via, who = (
            st.sampled_from(["field", "integration", "reporter"]),
            st.sampled_from(["monitor", "customer", "release"]),
        )
        detected_by, ticket_by = (draw(st.none() | who) for _ in range(2))
        told.append(
            Told(
                rec,
                auto_resolved=draw(st.booleans()) and "resolved" in at,
                detected_by=detected_by,
                via=draw(via) if detected_by else None,
                rule=draw(st.sampled_from([None, "HighCpu"])) if source != "jira" else None,
                assigned=tuple(at["detected"] + n * MINUTE for n in draw(minutes)),
                notified=tuple((at["detected"] + n * MINUTE, person) for n, person in notified),
                acknowledged_by=draw(people) if by == "human" else None,
                rota=draw(st.sampled_from([None, "primary", "secondary"])),
                ticket=source in ("pagerduty", "opsgenie") and draw(st.booleans()),
                ticket_detected_by=ticket_by,
                ticket_via=draw(via) if ticket_by else None,
            )
        )
    follow_ups = []
    for number in range(draw(st.integers(0, 20)) if told else 0):
        one = draw(st.sampled_from(told))
        base = one.rec.at.get("resolved", one.rec.at["detected"])
        completed = draw(st.none() | st.sampled_from([0, 1, -1]) | st.integers(-3, 14))
        limit = due(base) if draw(st.booleans()) else base
        follow_ups.append(
            Follow(
                f"f{number:02}",
                draw(st.sampled_from(["post_mortem", "action"])),
                one.id,
                by_ticket=one.ticket and draw(st.booleans()),
                created_at=draw(st.none() | st.sampled_from([base + days * DAY for days in range(10)])),
                due_at=draw(st.none() | st.just(AS_OF_US) | st.just(AS_OF_US - 1)),
                completed_at=None
                if completed is None
                else limit + (completed if abs(completed) < 2 else completed * DAY),
                is_test=draw(st.sampled_from([None, None, False, True])),
            )
        )
    return told, follow_ups
