"""What is one incident: links and their guards, groups, and what an incident that several tools tell says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from correlation_cases import (
    DAY,
    MINUTE,
    TABLES,
    Link,
    Node,
    Rec,
    build,
    correlated,
    different,
    fill,
    reference,
    same,
    uuid,
    world,
)
from support import AS_OF_US, rows

from mttr_pipeline.config.decisions import Decision, Decisions, read_decisions
from mttr_pipeline.warehouse.database import Warehouse

T0 = AS_OF_US - 60 * DAY


def groups(warehouse: Warehouse) -> set[frozenset[Node]]:
    """The records of each incident that has several."""
    found: dict[str, set[Node]] = {}
    for row in rows(warehouse.con, "FROM mart.incident_sources"):
        found.setdefault(row["incident_id"], set()).add((row["source"], row["external_id"], row["episode"]))
    return {frozenset(group) for group in found.values() if len(group) > 1}


def worlds(seeds: Sequence[int]) -> tuple[list[Rec], list[Link], list[Decision]]:
    drawn = [world(seed) for seed in seeds]
    return [r for w in drawn for r in w[0]], [n for w in drawn for n in w[1]], [d for w in drawn for d in w[2]]


def compare(folder: Path, seeds: Sequence[int]) -> None:
    """The groups of many worlds against the reference, in two orders of arrival."""
    recs, links, decisions = worlds(seeds)
    expected: set[frozenset[Node]] = set()
    seen = {"joined": 0, "refused": 0, "large": 0}
    for seed in seeds:
        own = world(seed)
        found, edges = reference(*own)
        expected |= {frozenset(group) for group in found}
        seen["joined"] += len(found)
        seen["refused"] += any(d.decision == "different" for d in own[2]) and len(edges) > 1
        seen["large"] += len(own[0]) > 20 and not any(len(group) > 20 for group in found)
    assert all(seen.values()), seen  # the worlds do reach what they are drawn for
    with correlated(folder, recs, links, decisions) as warehouse:
        found = groups(warehouse)
        assert {g for g in found if g not in expected} == {g for g in expected if g not in found} == set()
        names = {d.pair for d in decisions if d.decision == "different"}
        for group in found:
            inside = sorted({node[:2] for node in group})
            assert not any((a, b) in names for a in inside for b in inside), "a refusal does not hold"
        (told,) = rows(warehouse.con, "FROM mart.correlation WHERE scope = 'all'")
        assert told["records"] == len(recs)
        assert told["incidents"] == len(recs) - sum(len(group) - 1 for group in expected)
        before = {
            name: warehouse.con.execute(f"FROM mart.{name} ORDER BY ALL").fetchall()
            for name in ("incidents", "records", "links")
        }
        luck = random.Random(1)
        fill(warehouse, luck.sample(recs, len(recs)), luck.sample(links, len(links)))
        build(warehouse)
        after = {name: warehouse.con.execute(f"FROM mart.{name} ORDER BY ALL").fetchall() for name in before}
        assert before == after


def test_groups_are_those_of_the_reference_in_any_order(tmp_path: Path) -> None:
    """Links, guards, episodes, refusals and limits at once; and nothing depends on what arrived first."""
    compare(tmp_path, range(120))


@pytest.mark.slow
def test_groups_are_those_of_the_reference_in_many_worlds(tmp_path: Path) -> None:
    compare(tmp_path, range(1_000, 4_000))


# -- what an incident of several records says ----------------------------------------------------------------------------------


def minutes(**stamps: float) -> dict[str, int]:
    """Stamps in minutes after T0."""
    return {name: T0 + round(at * MINUTE) for name, at in stamps.items()}


PAGE = Rec(
    "pagerduty",
    "P",
    minutes(detected=10, acknowledged=15, mitigated=40, resolved=60),
    severity="SEV2",
    severity_source="urgency",
    acknowledged_by="human",
    service="api",
    title="page",
    users=5,
)
TICKET = Rec(
    "jira",
    "T",
    minutes(occurred=0, detected=12, acknowledged=14, investigating=20, mitigated=45, resolved=100),
    severity="SEV1",
    severity_source="field",
    via={"mitigated": "field"},
    key="OPS-1",
    service="shop",
    title="ticket",
    users=70,
)
ALERT = Rec(
    "alertmanager", "A", minutes(detected=8, resolved=50), severity="SEV4", severity_source="field", title="alert"
)
URL = Link("jira", "T", "url", "url", PAGE.url)
ALERTS = Link("alertmanager", "A", "url", "url", PAGE.url)
GOLDEN = "SELECT * REPLACE ({}) FROM mart.incidents".format(
    ", ".join(
        f"(epoch_us({name}_at) - {T0}) / 6e7 AS {name}_at"
        for name in ("occurred", "detected", "acknowledged", "investigating", "mitigated", "resolved", "closed")
    )
)


def golden(folder: Path, recs: Sequence[Rec], links: Sequence[Link], **more: Any) -> dict[str, Any]:
    """The one incident that all these records are."""
    with correlated(folder, recs, links, **more) as warehouse:
        (found,) = rows(warehouse.con, GOLDEN)
    return found


def said(found: dict[str, Any], *names: str) -> dict[str, tuple[float | None, str | None]]:
    return {name: (found[f"{name}_at"], found[f"{name}_source"]) for name in names}


def test_each_stamp_comes_from_the_tool_that_knows_it(tmp_path: Path) -> None:
    """The impact from the ticket, the detection from the alert, the page's resolve; the ticket's Done is the close."""
    found = golden(tmp_path, [PAGE, TICKET, ALERT], [URL, ALERTS])
    assert (found["incident_id"], found["title"], found["service"]) == (uuid(PAGE.node), "page", "api")
    assert (found["severity"], found["severity_source"], found["affected_users"]) == ("SEV1", "field", 70)
    assert said(found, "occurred", "detected", "acknowledged", "investigating", "mitigated", "resolved", "closed") == {
        "occurred": (0, "jira"),
        "detected": (8, "alertmanager"),
        "acknowledged": (15, "pagerduty"),  # a ticket that was touched earlier is nobody who took the page
        "investigating": (20, "jira"),
        "mitigated": (45, "jira"),  # a field, before what a status says
        "resolved": (60, "pagerduty"),
        "closed": (100, "jira"),
    }
    assert (found["status"], found["resolve_minutes"], found["duplicate_of"]) == ("closed", 52, None)


def test_a_page_that_nobody_ended_ends_with_its_ticket(tmp_path: Path) -> None:
    page = replace(PAGE, at=minutes(detected=10))
    found = golden(tmp_path, [page, TICKET], [URL])
    assert said(found, "detected", "acknowledged", "resolved", "closed") == {
        "detected": (10, "pagerduty"),
        "acknowledged": (14, "jira"),
        "resolved": (100, "jira"),
        "closed": (100, "jira"),
    }
    assert found["resolved_provenance"] == "imputed"


def test_what_an_integration_copied_is_no_evidence(tmp_path: Path) -> None:
    """Its Done is the page's resolve once more, 40 minutes late, and no close of the follow-up."""
    ticket = replace(TICKET, copied=("resolved", "mitigated", "acknowledged"))
    with correlated(tmp_path, [replace(PAGE, at=minutes(detected=10, resolved=60)), ticket], [URL]) as warehouse:
        (found,) = rows(warehouse.con, GOLDEN)
        assert rows(warehouse.con, "FROM mart.incident_conflicts") == []
    assert said(found, "acknowledged", "mitigated", "resolved", "closed") == {
        "acknowledged": (None, None),
        "mitigated": (None, None),
        "resolved": (60, "pagerduty"),
        "closed": (None, None),
    }


def test_an_alert_that_pages_gives_the_acknowledgement_only(tmp_path: Path) -> None:
    """It is made for the incident after it began, and may be closed long before it is over, or after."""
    whole = Rec("opsgenie_incident", "I", minutes(detected=10, resolved=60), title="incident")
    paged = Rec(
        "opsgenie", "R", minutes(detected=5, acknowledged=11, resolved=90), title="page", acknowledged_by="human"
    )
    named = Link("opsgenie_incident", "I", "vendor", "id", "R", "opsgenie", "responder_alert", is_responder=True)
    found = golden(tmp_path, [whole, paged], [named])
    assert (found["incident_id"], found["title"]) == (uuid(whole.node), "incident")
    assert said(found, "detected", "acknowledged", "resolved") == {
        "detected": (10, "opsgenie_incident"),
        "acknowledged": (11, "opsgenie"),
        "resolved": (60, "opsgenie_incident"),
    }


def test_two_tools_that_disagree_are_a_conflict(tmp_path: Path) -> None:
    """More than 15 minutes, and the same kind of evidence only: the ticket's creation and Done are none beside a page."""
    late = replace(ALERT, at=minutes(detected=10 + 15), id="L", dedup_key="d")
    other = Rec("opsgenie", "O", minutes(detected=26, resolved=80), acknowledged_by="human")
    links = [URL, Link("alertmanager", "L", "url", "url", PAGE.url), Link("opsgenie", "O", "url", "url", PAGE.url)]
    with correlated(
        tmp_path, [PAGE, replace(TICKET, at=minutes(detected=90, resolved=200)), late, other], links
    ) as warehouse:
        found = rows(
            warehouse.con, "SELECT stamp, chosen_source, other_source, minutes_apart FROM mart.incident_conflicts"
        )
    assert [tuple(row.values()) for row in found] == [
        ("detected_at", "pagerduty", "opsgenie", 16),
        ("resolved_at", "opsgenie", "pagerduty", 20),
    ]


def test_only_keys_of_projects_that_records_are_of_are_names(tmp_path: Path) -> None:
    """`UTF-8` looks like the key of a ticket; `OPS-99` is one that nobody read, and the table of links says so."""
    texts = [
        Link("pagerduty", "P", "key", "key", key, place="title", text_id=key) for key in ("UTF-8", "OPS-99", "OPS-1")
    ]
    with correlated(tmp_path, [PAGE, TICKET], texts) as warehouse:
        assert groups(warehouse) == {frozenset([PAGE.node, TICKET.node])}
        told = {(row["target"], row["why"]) for row in rows(warehouse.con, "FROM mart.links")}
    assert told == {("OPS-99", "the record it names was never read"), ("OPS-1", None)}


def test_a_name_that_fits_records_of_two_accounts_joins_neither(tmp_path: Path) -> None:
    """Two trackers may have the same projects; nobody can tell which ticket is meant."""
    twin = replace(TICKET, source="custom", id="U")
    with correlated(tmp_path, [PAGE, TICKET, twin], [Link("pagerduty", "P", "key", "key", "OPS-1")]) as warehouse:
        assert groups(warehouse) == set()
        assert {row["why"] for row in rows(warehouse.con, "FROM mart.links")} == {
            "records of several accounts have this name"
        }


@pytest.mark.parametrize("days_apart", [0, 9], ids=["one outage", "a list"])
def test_a_record_that_names_many_is_a_list_only_where_they_are_of_different_times(
    tmp_path: Path, days_apart: int
) -> None:
    """Fields are one link each, so a ticket may name four pages of its outage; with one that was long over it lists repeats."""
    pages = [replace(PAGE, id=f"P{place}") for place in range(4)]
    pages[3] = replace(pages[3], at={name: at - days_apart * DAY for name, at in PAGE.at.items()})
    links = [Link("jira", "T", "url", "url", page.url) for page in pages]
    with correlated(tmp_path, [TICKET, *pages], links) as warehouse:
        found = groups(warehouse)
        why = {row["why"] for row in rows(warehouse.con, "FROM mart.links")}
    if days_apart:
        assert found == set() and why == {"it names more than 3 records of different times: a list"}
    else:
        assert found == {frozenset([TICKET.node, *(page.node for page in pages)])}


def test_both_old_ids_lead_to_the_incident(tmp_path: Path) -> None:
    """A ticket that is linked on the second day makes two incidents one; a link that is gone makes them two again."""
    with correlated(tmp_path, [PAGE, TICKET]) as warehouse:
        before = {row["incident_id"] for row in rows(warehouse.con, "FROM mart.incidents")}
        fill(warehouse, [PAGE, TICKET], [URL])
        build(warehouse)
        one = rows(
            warehouse.con, "SELECT record_id, incident_id, role, link_reason FROM mart.records ORDER BY role DESC"
        )
        fill(warehouse, [PAGE, TICKET], [])
        build(warehouse)
        after = {row["incident_id"] for row in rows(warehouse.con, "FROM mart.incidents")}
    assert before == after == {uuid(PAGE.node), uuid(TICKET.node)} == {row["record_id"] for row in one}
    assert [(row["incident_id"], row["role"], row["link_reason"]) for row in one] == [
        (uuid(PAGE.node), "primary", None),
        (uuid(PAGE.node), "member", "url"),
    ]


@pytest.mark.parametrize("file", [{"enabled": False}, {"reasons": ["vendor", "dedup"]}], ids=["off", "other reasons"])
def test_links_that_the_settings_leave_out_join_nothing(tmp_path: Path, file: dict[str, Any]) -> None:
    with correlated(tmp_path, [PAGE, TICKET], [URL], file={"correlation": file}) as warehouse:
        assert len(rows(warehouse.con, "FROM mart.incidents")) == 2
        (link,) = rows(warehouse.con, "FROM mart.links")
    assert link["status"] == "not_followed" and "orrelation" in link["why"]


# -- decisions -----------------------------------------------------------------------------------------------------------------


def test_a_decision_is_shown_with_who_and_why_and_wins(tmp_path: Path) -> None:
    """`same` joins what nothing links; `different` keeps apart what is linked, through a third record too."""
    alone = Rec("opsgenie", "O", minutes(detected=500, resolved=600))
    decided = [different(PAGE, TICKET), same(alone, TICKET, "bob", "the same outage")]
    with correlated(
        tmp_path,
        [PAGE, TICKET, ALERT, alone],
        [URL, ALERTS, Link("alertmanager", "A", "text", "key", "OPS-1")],
        decided,
    ) as warehouse:
        assert groups(warehouse) == {frozenset([PAGE.node, ALERT.node]), frozenset([TICKET.node, alone.node])}
        told = {
            (row["place"], row["link_reason"], row["status"], row["why"], row["decided_by"])
            for row in rows(warehouse.con, "FROM mart.links")
        }
    assert told == {
        ("field", "url", "not_followed", "refused by ada: two outages", None),
        ("field", "url", "followed", None, None),
        ("field", "text", "not_followed", "it would bring records together that a person keeps apart", None),
        ("links.csv", "chosen", "followed", "the same outage", "bob"),
        ("links.csv", "chosen", "not_followed", "two outages", "ada"),
    }


def test_a_refusal_wins_over_decisions_that_together_say_otherwise(tmp_path: Path) -> None:
    """A is B, B is C, A is not C: one of the two that join gives way, and the table of links says which and why."""
    third = replace(PAGE, source="opsgenie", id="O")
    decided = [same(PAGE, TICKET), same(TICKET, third), different(PAGE, third)]
    with correlated(tmp_path, [PAGE, TICKET, third], decisions=decided) as warehouse:
        (group,) = groups(warehouse)
        told = [row["why"] for row in rows(warehouse.con, "FROM mart.links WHERE link_reason = 'chosen'")]
    assert len(group) == 2 and TICKET.node in group
    assert sorted(told) == ["it would bring records together that a person keeps apart", "one outage", "two outages"]


def test_a_refused_merge_and_a_refused_flap_stand_alone(tmp_path: Path) -> None:
    """A refusal wins over every automatic link, the vendor's own included."""
    merged = Rec("pagerduty", "M", minutes(detected=11, resolved=20), duplicate_of="P")
    with correlated(tmp_path, [PAGE, merged], decisions=[different(PAGE, merged)]) as warehouse:
        assert groups(warehouse) == set()
        assert {row["is_counted"] for row in rows(warehouse.con, "FROM mart.incidents")} == {True}


def test_broken_lines_of_the_file_are_told_and_the_others_hold(tmp_path: Path) -> None:
    """Somebody edits it by hand, at night."""
    path = tmp_path / "links.csv"
    lines = [
        "source,external_id,other_source,other_external_id,decision,by,why",
        "pagerduty,P,jira,T,same,ada,one outage",
        "",
        "pagerduty,P,jira",
        "pagerduty,P,jira,X,maybe",
        "pagerduty,P,nowhere,X,same",
        "pagerduty,P,pagerduty,P,same",
        'pagerduty,"P,jira,X,same',
        "jira,T,pagerduty,P,different,bob,two outages",
        "custom,C,jira,T,different",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    found = read_decisions(path, ("pagerduty", "jira", "custom"))
    assert [(d.external_id, d.decision, d.decided_by, d.line) for d in found.valid] == [
        ("C", "different", None, 10),
        ("T", "different", "bob", 9),
    ]
    assert [(line, problem.split(":")[0][:30]) for line, problem in found.problems] == [
        (4, "has 3 cells; write source, ext"),
        (5, "says 'maybe'; write same, diff"),
        (6, "names the source 'nowhere', wh"),
        (7, "names one record twice."),
        (8, "is no line of a CSV file"),
        (9, "contradicts line 2"),
    ]
    path.write_bytes(b"\xff\xfe")
    assert read_decisions(path, ()).problems[0][1].endswith("None of it is used.")
    assert read_decisions(tmp_path / "none.csv", ()) == Decisions()


def test_findings_about_links_count_their_cause(tmp_path: Path) -> None:
    """A conflict, a storm that is no incident, and a decision about a record that nobody read; without correlation none of them."""
    storm = [Rec("opsgenie", f"S{place}", minutes(detected=place, resolved=900)) for place in range(21)]
    hub = Rec("opsgenie_incident", "HUB", minutes(detected=0, resolved=900))
    whole = [Link("opsgenie_incident", "HUB", "vendor", "id", one.id, "opsgenie", "associated_alert") for one in storm]
    other = Rec("opsgenie", "O", minutes(detected=26, resolved=80))
    recs, links = [PAGE, other, hub, *storm], [Link("opsgenie", "O", "url", "url", PAGE.url), *whole]
    unread = different(PAGE, replace(TICKET, id="never read"))
    tables = (*TABLES, "figures.findings_links")
    query = "SELECT dq_check, source, n, total, examples FROM figures.findings_links WHERE n > 0 ORDER BY ALL"
    with correlated(tmp_path, recs, links, [unread], tables=tables) as warehouse:
        assert len(rows(warehouse.con, "FROM mart.incidents")) == 23
        assert {row["why"] for row in rows(warehouse.con, "FROM mart.links WHERE place = 'associated_alert'")} == {
            "more than 20 records would be one incident"
        }
        assert [tuple(row.values()) for row in rows(warehouse.con, query)] == [
            ("conflicting_stamps", "pagerduty", 1, 1, None),
            ("group_not_merged", "opsgenie", 21, 22, None),
            ("group_not_merged", "opsgenie_incident", 1, 1, None),
            (
                "unusable_decision",
                "configuration",
                1,
                1,
                ["line 2 names jira never read, which was never read or is deleted."],
            ),
        ]
