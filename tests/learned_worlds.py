"""Whole companies with an error tracker, post-mortems, alerts and pages: custom records of incidents through the real door, and
the rest in the place of what sources yield; and all that people get to see of them."""

from __future__ import annotations

import functools
import pickle
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import error_cases
import polars as pl
from correlation_cases import DAY, HOUR, Link
from delivery_cases import Dep, give
from delivery_worlds import deploy, tidy
from error_cases import Count, Issue, Sessions, Told, World
from learning_cases import FOLLOW_UP, Follow
from report_cases import incident
from sharing import made_once
from support import AS_OF_US, discard, land_custom, open_warehouse, untouched

from mttr_pipeline import reports
from mttr_pipeline.cli.terminal import errors_lines, learning_lines
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.database import Warehouse


@dataclass(frozen=True)
class Alert:
    """What a source says of the custom record with this id beside its stamps."""

    external_id: str
    rule: str | None = None
    detected_by: str | None = None
    auto_resolved: bool = False
    assigned_after: int | None = None  # minutes


@dataclass(frozen=True)
class Company:
    """Everything that is told of a company. `is_pager` says whether its custom records called somebody."""

    incidents: Sequence[dict[str, Any]] = ()
    deploys: Sequence[Dep] = ()
    tracked: World = field(default_factory=World)
    follow_ups: Sequence[Follow] = ()
    alerts: Sequence[Alert] = ()
    is_pager: bool = False
    links: Sequence[Link] = ()


def issue(name: str, *, days: float, **more: Any) -> Issue:
    """An issue of `shop` that was first seen so many days ago, and last a day ago."""
    at = AS_OF_US - int(days * DAY)
    told = {"service": "shop", "team": "red", "first_seen_at": at, "last_seen_at": max(at, AS_OF_US - DAY), "users": 10}
    return Issue(
        name, **{**told, "key": f"SHOP-{name}", "title": f"error {name}", "url": f"https://errors.test/{name}", **more}
    )


def follow(
    name: str, of: str, *, made: float, done: float | None = None, kind: str = "post_mortem", **more: Any
) -> Follow:
    """A follow-up of a custom record that was made, and completed, so many days ago."""
    days = {"created_at": made, "completed_at": done}
    return Follow(
        name, kind, of, **{key: None if n is None else AS_OF_US - int(n * DAY) for key, n in days.items()}, **more
    )


#: The first three have a page at night that nobody took; the disk fills again and again; customers noticed the basket.
INCIDENTS = [
    incident("checkout", days=5, minutes=900, severity="SEV1", title="Checkout fails", team="red", acknowledged_at=None),
    incident("basket", days=28, minutes=1200, severity="SEV1", title="Basket is empty", team="red"),
    incident("late", days=40, minutes=300, severity="SEV2", title="Login is slow", team="blue", service="login"),
    incident("fresh", days=1, minutes=60, severity="SEV2", title="Search is down", team="blue", service="search"),
    *(
        incident(
            f"disk {n}", days=n + 2 + (n % 2) / 2, minutes=8, severity="SEV3", title="Disk full", team="red",
            root_cause_category="disk",
        )
        for n in range(40)
    ),
    incident("nobody's", days=3, minutes=None, severity="SEV2", title="Whose is this?", service=None),
]  # fmt: skip
DEPLOYS = [
    deploy("1.0", days=60, sha="aaaaaaa1"),
    deploy("2.0", days=5 + 12 / 1440, sha="bbbbbbb2"),
    deploy("2.1", days=4, sha="ccccccc3", title="Fixes SHOP-held", url="https://ci.test/21"),
    deploy("2.2", days=3, sha="ddddddd4", title="Fixes SHOP-back", url="https://ci.test/22"),
]
TRACKED = World(
    issues=[
        issue("old", days=300, users=900, first_release="shop@1.0"),
        issue("new", days=0.3, users=None, service=None, team=None, url=None),
        issue("spike", days=50, users=40, is_unhandled=True),
        issue("cause", days=5 - 1 / 1440, first_release="shop@2.0", users=77, level="fatal"),
        issue("near", days=5 - 2 / 24, users=3),
        issue("held", days=20, status="resolved", last_seen_at=AS_OF_US - 5 * DAY),
        issue("back", days=21, status="unresolved", title="Payment is <None>"),
        issue("quiet", days=90, status="archived"),
        issue("again", days=70, substatus="regressed", users=9),
    ],
    told=[
        Told("held", "resolved", AS_OF_US - 4 * DAY + HOUR, release="2.1", actor_kind="human"),
        Told("back", "resolved", AS_OF_US - 3 * DAY - HOUR, release="2.2", actor_kind="human"),
        Told("back", "regressed", AS_OF_US - 2 * DAY, release="2.2"),
        Told("again", "resolved", AS_OF_US - 30 * DAY, actor_kind="human"),
        Told("again", "regressed", AS_OF_US - 2 * DAY),
    ],
    counts=[
        *(Count("spike", AS_OF_US - day * DAY, 24, minutes=1440) for day in range(2, 9)),
        Count("spike", AS_OF_US - 3 * HOUR, 4000),
        Count("back", AS_OF_US - 3 * DAY, 8, release="2.2"),
    ],
    sessions=[
        Sessions("1.0", 90_000, 90, service="shop"),
        Sessions("2.0", 50_000, 2_000, service="shop"),
        Sessions("2.1", 40_000, 80, service="shop"),
        Sessions("2.2", 60, 2, service="shop"),
        Sessions("7", 500, 5, service="app"),
    ],
)
FOLLOW_UPS = [
    follow("PM-1", "basket", made=27, done=24),
    follow("PM-2", "checkout", made=4),
    follow("ACT-1", "basket", made=26, kind="action"),
    follow("ACT-2", "basket", made=26, done=20, kind="action", is_test=True),
]
ALERTS = [
    Alert("checkout", "Checkout errors", "monitor"),
    Alert("basket", "Basket probe", "customer", assigned_after=12),
    Alert("late", "Login latency", "monitor", assigned_after=30),
    *(Alert(f"disk {n}", "Disk full on a host", "monitor", auto_resolved=n % 4 > 0) for n in range(40)),
]
EVERYTHING = Company(
    INCIDENTS,
    DEPLOYS,
    TRACKED,
    FOLLOW_UPS,
    ALERTS,
    True,
    (Link("custom", "checkout", "dedup", "dedup", "SHOP-cause", place="alert_key"),),
)
WORLDS: dict[str, Company] = {
    "everything": EVERYTHING,
    "incidents alone": Company(
        [incident(f"i{n}", days=n + 1, minutes=50, severity="SEV1", team="red") for n in range(8)]
    ),
    "nothing": Company(),
    "errors alone": Company(tracked=World(issues=[issue("one", days=3), issue("two", days=4, users=None)])),
    "no post-mortems": Company(
        [incident("bad", days=20, minutes=900, severity="SEV1", team="red")], alerts=[Alert("bad", "Probe", "monitor")]
    ),
    "a bad release": Company(
        deploys=DEPLOYS[:2], tracked=World(sessions=TRACKED.sessions[:2], issues=TRACKED.issues[:1])
    ),
    "in order": Company(
        [incident("good", days=40, minutes=60, severity="SEV1", title="Once", team="red")],
        [deploy("1.0", days=60), deploy("1.1", days=30)],
        World(
            issues=[issue("done", days=50, status="resolved", last_seen_at=AS_OF_US - 45 * DAY)],
            told=[Told("done", "resolved", AS_OF_US - 29 * DAY, release="1.1", actor_kind="human")],
            sessions=[Sessions("1.0", 90_000, 90, service="shop"), Sessions("1.1", 90_000, 91, service="shop")],
        ),
        [follow("PM", "good", made=39, done=38)],
        [Alert("good", "Probe", "monitor")],
    ),
}


@contextmanager
def company(folder: Path, told: Company, configured: dict[str, Any] | None = None) -> Iterator[Warehouse]:
    """A warehouse with every table of this company. Every promise was checked."""
    landing = Landing(folder / "landing")
    if told.incidents:
        land_custom(landing, told.incidents)
    role = {"sources": {"custom": {"role": "pager"}}} if told.is_pager else {}
    warehouse = open_warehouse(folder, {**role, **(configured or {})}, after_nothing=True)
    try:
        if told != Company():
            warehouse.load(landing)
            _build(warehouse, told)
        yield warehouse
    finally:
        discard(warehouse)


def _build(warehouse: Warehouse, told: Company) -> None:
    idle = untouched(warehouse.catalog, {"custom"})
    given = {
        "staging.deploys": lambda: give(warehouse, told.deploys),
        "staging.release_sessions": lambda: error_cases.give(warehouse, told.tracked),
        "staging.follow_ups": lambda: _follow(warehouse, told.follow_ups),
        "staging.links": lambda: _links(warehouse, told),
        "core.vendor_records": lambda: _alerts(warehouse, told.alerts),
        "core.standalone": lambda: _resolve(warehouse, told),
    }  # fmt: skip
    for model in warehouse.catalog:
        if model.table not in idle:
            warehouse.build(model)
            assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
        if model.table in given:
            warehouse.con.execute("SELECT 1").fetchall()  # what is read to its end lets tables be registered
            given[model.table]()


def _alerts(warehouse: Warehouse, alerts: Sequence[Alert]) -> None:
    """What sources say of detection and rules."""
    names = ("external_id", "rule", "detected_by")
    drawn = pl.DataFrame(
        [[getattr(a, n) for n in names] for a in alerts], schema=dict.fromkeys(names, pl.String), orient="row"
    )
    warehouse.con.register("drawn", drawn.to_arrow())
    warehouse.con.execute(
        """UPDATE core.vendor_records AS r SET detected_by = d.detected_by, reported_via = 'field', alert_rule = d.rule
        FROM drawn AS d WHERE d.external_id = r.external_id"""
    )
    warehouse.con.unregister("drawn")


def _resolve(warehouse: Warehouse, told: Company) -> None:
    """Which records resolved by themselves."""
    warehouse.con.execute(
        """UPDATE core.standalone SET auto_resolved = true, resolution_kind = 'integration'
        WHERE external_id IN (SELECT unnest(?::VARCHAR[]))""",
        [[alert.external_id for alert in told.alerts if alert.auto_resolved]],
    )


def _follow(warehouse: Warehouse, follow_ups: Sequence[Follow]) -> None:
    made = [
        {"source": "jira", "external_id": one.id, "kind": one.kind, "incident_source": "custom", "incident_id": one.of}
        | {"key": one.id, "title": f"about {one.of}", "url": f"https://jira.test/{one.id}"}
        | {"created_at": one.created_at, "due_at": one.due_at, "completed_at": one.completed_at, "is_test": one.is_test}
        for one in follow_ups
    ]  # fmt: skip
    warehouse.con.register("drawn", pl.DataFrame(made, schema=FOLLOW_UP).to_arrow())
    stamps = ", ".join(f"make_timestamp({name}) AS {name}" for name in ("created_at", "due_at", "completed_at"))
    warehouse.con.execute(f"CREATE OR REPLACE TABLE main.given_follow_ups AS SELECT * REPLACE ({stamps}) FROM drawn")
    warehouse.con.unregister("drawn")
    warehouse.con.execute("CREATE OR REPLACE VIEW staging.follow_ups AS FROM main.given_follow_ups")


def _links(warehouse: Warehouse, told: Company) -> None:
    names = ("source", "id", "reason", "target_kind", "target", "target_source", "place", "text_id")
    shown = ("source", "external_id", *names[2:])
    drawn = pl.DataFrame(
        [[getattr(link, name) for name in names] for link in told.links],
        schema=dict.fromkeys(shown, pl.String),
        orient="row",
    )
    warehouse.con.register("drawn", drawn.to_arrow())
    warehouse.con.execute(
        """CREATE OR REPLACE TABLE main.given_links AS
        SELECT *, NULL::BOOLEAN AS is_responder, NULL::VARCHAR AS landed_in FROM drawn"""
    )
    warehouse.con.unregister("drawn")
    warehouse.con.execute("CREATE OR REPLACE VIEW staging.links AS FROM main.given_links")


#: The tables whose values the documents may show.
TABLES = (
    *("error_issues", "error_coverage", "release_health", "follow_ups", "learning", "recurrence", "repeaters", "noise"),
    *("detection_sources", "ownership", "unowned_incidents", "oncall_load", "incident_errors"),
)


@dataclass(frozen=True)
class Shown:
    """What people get to see of a company."""

    documents: dict[str, Any]
    page: str
    markdown: str
    metrics: str
    lines: list[str]
    numbers: set[str]  # every number in the tables above

    @property
    def text(self) -> str:
        return tidy(self.page)

    def section(self, name: str) -> str:
        """The text of a section; empty without it."""
        return tidy(self.html(name))

    def html(self, name: str) -> str:
        found = re.search(rf'(?s)<section aria-labelledby="{name}">.*?</section>', self.page)
        return found[0] if found else ""


@functools.cache
def shown(world: str) -> Shown:
    """What is shown of a company."""
    found: Shown = pickle.loads((made_once(f"learned {world}", partial(_show, world)) / "shown").read_bytes())
    return found


def show(warehouse: Warehouse) -> Shown:
    """What is shown of the company in a warehouse."""
    con = warehouse.con
    documents = reports.documents(con)
    values = [value for table in TABLES for row in con.execute(f"FROM mart.{table}").fetchall() for value in row]
    return Shown(
        documents,
        reports.render(documents),
        reports.markdown(documents),
        reports.metrics(con),
        [*errors_lines(con), *learning_lines(con)],
        {repr(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)},
    )


def _show(world: str, folder: Path) -> None:
    with company(folder, WORLDS[world]) as warehouse:
        made = show(warehouse)
    (folder / "shown").write_bytes(pickle.dumps(made))
