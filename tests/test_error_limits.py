"""Each definition of error tracking at its limit: one build with a case a row. Random worlds are compared elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from correlation_cases import DAY, HOUR, MINUTE, Link, Rec
from delivery_cases import Dep
from error_cases import Count, Issue, Told, World, tracked
from mart_cases import rows
from support import AS_OF_US

from mttr_pipeline.config.decisions import Decision

T0 = AS_OF_US - 20 * DAY
WEEK = [Count("x", AS_OF_US - (2 + n) * DAY, 5, 1440) for n in range(7)]

OLD = 9 * DAY


def spike(*more: Count, n: int = 50, at: int = AS_OF_US - HOUR) -> list[Count]:
    """A week with a mean of 5, and so many events in one hour."""
    return [*WEEK, Count("x", at, n), *more]


#: Seen first so long before as_of, further fields, history, counts; and the class.
CLASSES: tuple[tuple[int, dict[str, Any], list[Told], list[Count], str | None], ...] = (
    (DAY - 1, {}, [], [], "new"),
    (DAY, {}, [], [], "ongoing"),
    (DAY - 1, {"status": "resolved"}, [], [], None),
    (DAY - 1, {"status": "archived"}, [], [], "new"),  # archived is not resolved
    (DAY - 1, {"status": None}, [], [], None),
    (OLD, {}, [Told("x", "resolved", T0 + 15 * DAY), Told("x", "regression", T0 + 16 * DAY)], [], "regression"),
    (OLD, {}, [Told("x", "resolved", T0 + 15 * DAY), Told("x", "reopened", T0 + 16 * DAY)], [], "ongoing"),
    (OLD, {"substatus": "regressed"}, [], [], "regression"),
    (OLD, {}, [], spike(), "spike"),
    (OLD, {}, [], spike(n=49), "ongoing"),
    (OLD, {}, [], spike(at=AS_OF_US - DAY), "spike"),  # the hour that began 24 hours ago
    (OLD, {}, [], spike(at=AS_OF_US - DAY - 1), "ongoing"),
    # A mean below 5.
    (OLD, {}, [], [*WEEK[:6], Count("x", AS_OF_US - 8 * DAY, 4, 1440), Count("x", AS_OF_US - HOUR, 500)], "ongoing"),
    # Seven days and not eight; as many whole days as it has; the day of the 24 hours is none of them.
    (OLD, {}, [], spike(Count("x", AS_OF_US - OLD, 900, 1440)), "spike"),
    (3 * DAY, {}, [], [*WEEK[:2], Count("x", AS_OF_US - HOUR, 50)], "spike"),
    (OLD, {}, [], spike(Count("x", AS_OF_US - DAY, 900, 1440)), "spike"),
    (OLD, {}, [], [Count("x", AS_OF_US - HOUR, 500)], "ongoing"),  # nothing to compare with
    # A day that was not over when it was read is none.
    (OLD, {}, [], [*spike()[1:], Count("x", AS_OF_US - 2 * DAY, 1, 1440, None, AS_OF_US - DAY - 1)], "spike"),
    # Counts of versions are added up; beside one of all of them, they are parts of it.
    (OLD, {}, [], [*WEEK, *(Count("x", AS_OF_US - HOUR, 25, 60, version) for version in ("1", "2"))], "spike"),
    (OLD, {}, [], spike(Count("x", AS_OF_US - HOUR, 49, 60, "1"), n=49), "ongoing"),
)


def test_classes_at_their_limits(tmp_path: Path) -> None:
    """New for less than 24 hours, ten times a mean of at least 5 of whole days: one event or microsecond less is something else."""
    world = World(
        [Issue(str(n), **{"first_seen_at": AS_OF_US - age, **more}) for n, (age, more, *_) in enumerate(CLASSES)],
        [each for n, (_, _, told, *_) in enumerate(CLASSES) for each in renamed(told, n)],
        [each for n, (*_, counts, _) in enumerate(CLASSES) for each in renamed(counts, n)],
    )
    with tracked(tmp_path, world) as warehouse:
        found = {row["external_id"]: row["class"] for row in rows(warehouse, "FROM mart.error_issues")}
    assert found == {str(n): expected for n, (*_, expected) in enumerate(CLASSES)}


def renamed(parts: list[Any], number: int) -> list[Any]:
    return [type(part)(**{**vars(part), "external_id": str(number)}) for part in parts]


def test_the_order_of_the_work_and_its_reasons(tmp_path: Path) -> None:
    """New before spiking before users before path value before age; each says in words why it stands where it stands."""
    spike = [*WEEK, Count("x", AS_OF_US - HOUR, 60)]
    old = {"first_seen_at": AS_OF_US - 9 * DAY}
    cases: list[tuple[dict[str, Any], list[Count], str]] = [
        ({"first_seen_at": AS_OF_US - HOUR, "users": 1}, [], "first seen in the last 24 hours, 1 user"),
        ({**old, "users": 0}, spike, "60 events in 24 hours, 12 times the daily mean, no users, first seen 2026-10-23"),
        ({**old, "users": 5000}, [], "5,000 users, first seen 2026-10-23"),
        ({**old, "users": 9, "tags": ("page:pay",)}, [], "9 users, path value 2.5, first seen 2026-10-23"),
        ({**old, "users": 9, "service": "shop front"}, [], "9 users, path value 1, first seen 2026-10-23"),
        ({"users": 9, "first_seen_at": AS_OF_US - 10 * DAY}, [], "9 users, first seen 2026-10-22"),
        ({**old, "users": 9}, [], "9 users, first seen 2026-10-23"),
        ({"users": 9}, [], "9 users, first seen at an unknown time"),
        ({**old}, [], "users not counted, first seen 2026-10-23"),
    ]
    world = World(
        [Issue(f"{len(cases) - n}", **issue) for n, (issue, _, _) in enumerate(cases)],
        counts=[each for n, (_, counts, _) in enumerate(cases) for each in renamed(counts, len(cases) - n)],
    )
    file = {"errors": {"path_values": {"services": {"Shop-Front": 1}, "tags": {"page:Pay": 2.5}}}}
    with tracked(tmp_path, world, file) as warehouse:
        found = rows(warehouse, "SELECT triage_rank, triage_reason FROM mart.error_issues ORDER BY triage_rank")
    assert [row["triage_reason"] for row in found] == [reason for *_, reason in cases]
    assert [row["triage_rank"] for row in found] == list(range(1, len(cases) + 1))


FIX = AS_OF_US - HOUR
DEPLOYS = [
    Dep("custom", "old", version="1.0", finished_at=T0 - DAY),
    Dep("custom", "fix", version="2.0", finished_at=FIX),
    Dep("custom", "next", version="3.0", finished_at=FIX + 5 * MINUTE),
]
#: An hour before and after the fix, in part of an old version.
HOURS = {"began_at": FIX, "minutes": 60}
#: The issue, its counts; the state of its fix, and minutes from the fix until it is confirmed.
FIXES: tuple[tuple[dict[str, Any], list[Count], str, int | None], ...] = (
    ({"last_seen_at": FIX}, [], "confirmed", 30),  # an event at that instant is before it
    ({"last_seen_at": FIX, "updated_at": FIX + 30 * MINUTE}, [], "confirmed", 30),
    ({"last_seen_at": FIX, "updated_at": FIX + 30 * MINUTE - 1}, [], "pending", None),
    ({"last_seen_at": FIX + 1}, [], "unknown", None),
    ({"last_seen_at": FIX + 1, "last_release": "1.0"}, [], "unknown", None),  # the last one is old; were all of them?
    ({"last_seen_at": FIX + 1, "last_release": "2.0"}, [], "ineffective", None),
    ({"last_seen_at": FIX + 1, "last_release": "shop@3.0"}, [], "ineffective", None),  # later than the fix
    ({"last_seen_at": FIX + 1, "last_release": "2.0", "updated_at": FIX + MINUTE}, [], "ineffective", None),
    ({"last_seen_at": FIX + 10 * MINUTE}, [Count("x", FIX, 3, 60, "1.0")], "confirmed", 40),
    ({"last_seen_at": FIX + 10 * MINUTE}, [Count("x", FIX, 3, 60, "1.0"), Count("x", FIX, 4)], "unknown", None),  # one of no version
    ({"last_seen_at": FIX + 10 * MINUTE}, [Count("x", FIX, 3, 60, "1.0"), Count("x", FIX, 1, 60, "7.7")], "unknown", None),
    ({"last_seen_at": FIX + 10 * MINUTE}, [Count("x", FIX, 3, 60, "1.0"), Count("x", FIX, 1, 60, "2.0")], "ineffective", None),
    ({"last_seen_at": FIX + 31 * MINUTE, "updated_at": FIX + 59 * MINUTE}, [Count("x", FIX, 3, 60, "1.0")], "pending", None),
    ({"last_seen_at": FIX + 31 * MINUTE}, [Count("x", FIX, 3, 60, "1.0", FIX + 20 * MINUTE)], "unknown", None),  # not read since
    ({"last_seen_at": None}, [], "unknown", None),
)  # fmt: skip


def test_the_state_of_a_fix_at_its_limits(tmp_path: Path) -> None:
    """30 quiet minutes and no event of the fixed version; what nobody knows is unknown, and no guess."""
    issues = [
        Issue(
            str(n),
            **{
                "first_seen_at": T0,
                "status": "resolved",
                "resolved_in_release": "2.0",
                "updated_at": AS_OF_US,
                **issue,
            },
        )
        for n, (issue, *_) in enumerate(FIXES)
    ]
    world = World(
        issues,
        [Told(issue.external_id, "resolved", FIX - HOUR, release="2.0") for issue in issues],
        [each for n, (_, counts, *_) in enumerate(FIXES) for each in renamed(counts, n)],
        deploys=DEPLOYS,
    )
    with tracked(tmp_path, world) as warehouse:
        found = {row["external_id"]: row for row in rows(warehouse, "FROM mart.error_issues")}
    assert {name: row["fix_method"] for name, row in found.items()} == dict.fromkeys(found, "release")
    for n, (_, _, state, minutes) in enumerate(FIXES):
        row = found[str(n)]
        confirmed = None if minutes is None else FIX + minutes * MINUTE
        assert (row["fix_state"], row["fix_confirmed_at"]) == (state, confirmed), FIXES[n]


def _with_name(given: dict[str, Any], name: str) -> dict[str, Any]:
    texts = tuple(text.replace("#", name) for text in given.get("texts", ()))
    return given | {"texts": texts} | ({"title": given["title"].replace("#", name)} if "title" in given else {})


def test_what_the_fix_is(tmp_path: Path) -> None:
    """The deploy of the version that resolves it; else the deploy that names it; else the resolve. A version that ran before the
    episode began cannot have fixed it, nor has a deploy of another service, or one that failed."""
    cases: list[tuple[str | None, list[dict[str, Any]], str]] = [
        ("2.0", [], "release"),
        (None, [{"title": "Fixes ERR-#"}], "commit"),
        ("9.9", [{"title": "Fixes ERR-#"}], "commit"),
        ("1.0", [], "resolve"),  # ran long before
        (None, [{"texts": ("one more\n\nFixes: ERR-#.",)}], "commit"),
        (None, [{"title": "https://errors.example/issues/#?referrer=x"}], "commit"),
        (None, [{"title": "fixes err-#"}], "resolve"),  # short ids are written in capitals
        (None, [{"title": "Fixes ERR-#1 and XERR-#"}], "resolve"),
        (None, [{"title": "Fixes ERR-#", "service": "Search"}], "resolve"),
        (None, [{"title": "Fixes ERR-#", "status": "failure"}], "resolve"),
        (None, [{"title": "Fixes ERR-#", "environment": "staging"}], "resolve"),
        (None, [{"title": "Fixes ERR-#", "finished_at": T0 - 1}], "resolve"),  # before it was seen
        (None, [{"title": "Fixes ERR-#", "finished_at": T0}], "commit"),
    ]
    names = [f"{n:03}" for n in range(len(cases))]
    found_at: dict[str, Any] = {"first_seen_at": T0, "last_seen_at": T0, "status": "resolved"}
    world = World(
        [Issue(name, key=f"ERR-{name}", url=f"https://errors.example/issues/{name}", **found_at) for name in names],
        [Told(name, "resolved", T0 + DAY, release=version) for name, (version, *_) in zip(names, cases, strict=True)],
        deploys=[
            *DEPLOYS,
            *(
                Dep("custom", f"d{name}", **{"finished_at": T0 + HOUR, **_with_name(given, name)})
                for name, (_, deploys, _) in zip(names, cases, strict=True)
                for given in deploys
            ),
        ],
    )
    with tracked(tmp_path, world) as warehouse:
        found = {row["external_id"]: row["fix_method"] for row in rows(warehouse, "FROM mart.error_issues")}
    assert found == {f"{n:03}": method for n, (*_, method) in enumerate(cases)}


#: Minutes from the begin of an incident of an hour to the first event of an error; whether it is evidence.
NEAR = ((-60 * MINUTE, True), (-60 * MINUTE - 1, False), (0, True), (60 * MINUTE, True), (60 * MINUTE + 1, False))


def test_what_happened_together_at_its_limits(tmp_path: Path) -> None:
    """While the incident lasted, or in the window of deploys before it: both limits belong to it. Another service does not."""
    records = [Rec("pagerduty", "I", {"detected": T0, "resolved": T0 + HOUR}, service="Checkout")]
    issues = [Issue(str(n), first_seen_at=T0 + after) for n, (after, _) in enumerate(NEAR)]
    issues += [Issue("other", service="Search", first_seen_at=T0), Issue("none", service=None, first_seen_at=T0)]
    with tracked(tmp_path, World(issues, records=records)) as warehouse:
        found = rows(warehouse, "SELECT external_id, method, minutes_from_detected AS m FROM mart.incident_errors")
    assert {row["external_id"]: row["m"] for row in found} == {
        str(n): after / MINUTE for n, (after, is_near) in enumerate(NEAR) if is_near
    }
    assert {row["method"] for row in found} == {"service and time"}


def test_the_deploy_of_an_error_is_to_blame(tmp_path: Path) -> None:
    """The error of a page came with a deploy of ten days ago: that goes before the deploy that happened to come just before. One
    that came back later blames the version that it came back with; without one, nothing. A person may refuse it."""
    world = World(
        issues=[
            Issue("new", key="E-1", first_seen_at=T0, first_release="1.0"),
            Issue("back", key="E-2", first_seen_at=T0 - 9 * DAY, first_release="1.0"),
            Issue("reopened", key="E-3", first_seen_at=T0 - 9 * DAY, first_release="1.0"),
            Issue("refused", key="E-4", first_seen_at=T0, first_release="1.0"),
        ],
        told=[
            *(Told(name, "resolved", T0 - 8 * DAY) for name in ("back", "reopened")),
            Told("back", "regression", T0, release="1.5"),
            Told("reopened", "reopened", T0, actor_kind="human"),
        ],
        deploys=[
            Dep("custom", "first", version="1.0", finished_at=T0 - 10 * DAY),
            Dep("custom", "second", version="1.5", finished_at=T0 - 3 * DAY),
            Dep("custom", "near", version="1.6", finished_at=T0 - MINUTE),
        ],
        records=[
            Rec("pagerduty", f"I{n}", {"detected": T0, "resolved": T0 + HOUR}, service="Checkout") for n in range(1, 5)
        ],
        links=[Link("pagerduty", f"I{n}", "dedup", "dedup", f"E-{n}", place="alert_key") for n in range(1, 5)],
        decisions=[Decision("pagerduty", "I4", "custom", "first", "not introduced", "ada", "no", 2)],
    )
    with tracked(tmp_path, world) as warehouse:
        found = rows(
            warehouse,
            """SELECT i.external_id AS rec, d.external_id AS deploy, l.method FROM mart.incident_deploys AS l
            JOIN mart.incidents AS i USING (incident_id) JOIN mart.deploys AS d USING (deploy_id) ORDER BY ALL""",
        )
    assert [tuple(row.values()) for row in found] == [
        ("I1", "first", "explicit"),
        ("I2", "second", "explicit"),
        ("I3", "near", "window"),
        ("I4", "near", "window"),
    ]


def test_a_deploy_that_repairs_an_error_is_rework(tmp_path: Path) -> None:
    """Within seven days after the incident that the error is linked to; one that names an error of no incident repairs none."""
    at = [T0 + 7 * DAY, T0 + 7 * DAY + 1, T0 + HOUR, T0 - HOUR]
    titles = ["Fixes E-1A", "Fixes E-1A", "Fixes E-2", "Fixes E-1A"]
    world = World(
        issues=[Issue("1", key="E-1A", first_seen_at=T0), Issue("2", key="E-2", first_seen_at=T0)],
        deploys=[
            Dep("custom", f"d{n}", finished_at=when, title=title)
            for n, (when, title) in enumerate(zip(at, titles, strict=True))
        ],
        records=[Rec("pagerduty", "I", {"detected": T0, "resolved": T0 + HOUR}, service="Checkout")],
        links=[Link("pagerduty", "I", "dedup", "dedup", "E-1A", place="alert_key")],
    )
    with tracked(tmp_path, world) as warehouse:
        found = rows(warehouse, "SELECT d.external_id FROM core.reworks AS r JOIN core.deploys AS d USING (deploy_no)")
    assert found == [{"external_id": "d0"}]


def test_a_key_that_is_a_ticket_too_joins_the_ticket_only(tmp_path: Path) -> None:
    """CHECKOUT-12 is a ticket here and an issue there: the page joins its ticket as ever, and nothing is said of the issue."""
    records = [
        Rec("pagerduty", "P", {"detected": T0, "resolved": T0 + HOUR}),
        Rec("jira", "J", {"detected": T0, "resolved": T0 + HOUR}, key="CHECKOUT-12"),
    ]
    links = [Link("pagerduty", "P", "key", "key", "CHECKOUT-12")]
    world = World([Issue("12", key="CHECKOUT-12", first_seen_at=T0, service=None)], records=records, links=links)
    with tracked(tmp_path, world) as warehouse:
        joined = rows(warehouse, "SELECT source, role FROM mart.incident_sources ORDER BY source")
        evidence = rows(warehouse, "FROM mart.incident_errors")
        why = rows(warehouse, "SELECT why_not FROM core.links WHERE is_of_error")
    assert joined == [{"source": "jira", "role": "member"}, {"source": "pagerduty", "role": "primary"}]
    assert (evidence, why) == ([], [{"why_not": "records of several accounts have this name"}])
