"""Incident channels beside pages and tickets: one incident is counted once, and a channel never says more than it knows.

The records are those of the real sources: a workspace that is pulled over HTTP, incidents of PagerDuty and issues of Jira.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from slack_cases import DAY, HOUR, MINUTE, NOW, Office, office, plain

from mttr_pipeline.demo.slack import Workspace
from mttr_pipeline.landing.store import new_run_id

PAGES, ISSUES = "https://acme.pagerduty.com/incidents/", "https://acme.atlassian.net/browse/"


def page(number: str, at: datetime, ended: datetime | None, title: str = "Checkout latency") -> dict[str, Any]:
    return {
        "id": number,
        "incident_number": 1,
        "title": title,
        "html_url": PAGES + number,
        "created_at": at.isoformat(),
        "resolved_at": ended.isoformat() if ended else None,
        "status": "resolved" if ended else "triggered",
        "urgency": "high",
        "service": {"id": "P1", "summary": "Checkout"},
    }


def issue(number: str, at: datetime, text: str = "", **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "key": f"OPS-{number}",
        "self": f"https://acme.atlassian.net/rest/api/3/issue/{number}",
        "fields": {
            "summary": "Checkout is slow",
            "description": text,
            "issuetype": {"name": "Incident"},
            "project": {"id": "1", "key": "OPS"},
            "status": {"id": "1", "name": "Open", "statusCategory": {"key": "new"}},
            "created": f"{at:%Y-%m-%dT%H:%M:%S.000+0000}",
            "updated": f"{at:%Y-%m-%dT%H:%M:%S.000+0000}",
            **fields,
        },
    }


def give(slack: Office, pages: Sequence[Any] = (), issues: Sequence[Any] = ()) -> None:
    """Land records of the other tools."""
    for source, stream, rows in (("pagerduty", "incidents", pages), ("jira", "issues", issues)):
        if rows:
            extract = slack.landing.begin(source, new_run_id(), {"n": str(rows)})
            extract.land(stream, "all", map(msgspec.json.encode, rows))
            extract.finish(NOW)


class Found:
    """What came out: incidents, members of each, and links."""

    def __init__(self, slack: Office) -> None:
        slack.pull(slack.server.now)
        warehouse = slack.built(
            "core.incidents",
            "core.incident_sources",
            "core.incident_conflicts",
            "mart.links",
            "core.golden",
            "figures.findings_records",
        )
        try:
            rows = warehouse.con.execute("SELECT * FROM mart.incidents ORDER BY detected_at")
            names = [column[0] for column in rows.description or ()]
            self.incidents = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
            members = warehouse.con.execute(
                "SELECT incident_id, source, external_id, role, link_reason FROM mart.incident_sources"
            )
            self.members: dict[str, set[Any]] = {}
            for incident, *row in members.fetchall():
                self.members.setdefault(incident, set()).add(tuple(row))
            told = "SELECT dq_check, n, level, examples FROM figures.findings_records SEMI JOIN config.findings ON fact = dq_check"
            self.findings = warehouse.con.execute(f"{told} ORDER BY ALL").fetchall()
            links = "SELECT place, link_reason, why FROM mart.links WHERE source = 'slack' ORDER BY ALL"
            self.links = warehouse.con.execute(links).fetchall()
            self.conflicts = warehouse.con.execute(
                "SELECT stamp, chosen_source, other_source FROM mart.incident_conflicts"
            ).fetchall()
        finally:
            warehouse.close()

    def groups(self) -> list[set[str]]:
        """The ids of the records of each incident."""
        return sorted(({row[1] for row in rows} for rows in self.members.values()), key=sorted)


def test_a_channel_a_page_and_a_ticket_are_one_incident(tmp_path: Path) -> None:
    """Each says what it knows: the page when it began and ended, the channel when users had service again."""
    workspace = Workspace()
    began = NOW - 2 * DAY
    room = workspace.room("inc-42-checkout", began + 9 * MINUTE)
    room.topic(began + 10 * MINUTE, f"SEV1 | <{PAGES}Q0AAAAAAAAAAA1|page>")
    room.bookmark("Ticket", f"{ISSUES}OPS-231?focusedId=7")
    room.say(began + 20 * MINUTE, "Root cause found: a full disk")
    room.say(began + 30 * MINUTE, "Mitigated: traffic moved", user="U02")
    room.topic(began + 50 * MINUTE, "SEV1 | Resolved")
    room.archive(began + DAY)
    with office(workspace, tmp_path) as slack:
        give(slack, [page("Q0AAAAAAAAAAA1", began, began + 45 * MINUTE)], [issue("231", began + 12 * MINUTE)])
        found = Found(slack)
    (one,) = found.incidents
    assert found.members[one["incident_id"]] == {
        ("pagerduty", "Q0AAAAAAAAAAA1", "primary", None),
        ("jira", "231", "member", "url"),
        ("slack", room.id, "member", "url"),
    }
    stamps = {
        "detected": ("pagerduty", began),
        "root_cause_found": ("slack", began + 20 * MINUTE),
        "mitigated": ("slack", began + 30 * MINUTE),
        "resolved": ("pagerduty", began + 45 * MINUTE),
        "closed": ("slack", began + DAY),
    }
    for stamp, (source, at) in stamps.items():
        assert one[f"{stamp}_source"] == source, stamp
        assert one[f"{stamp}_at"].replace(microsecond=0) == at, stamp
    assert (one["title"], one["service"], one["severity_source"]) == ("Checkout latency", "Checkout", "urgency")
    assert found.conflicts == [], "the making of a channel is no detection, and its topic no resolve beside a page"


def test_the_making_of_a_channel_moves_no_detection(tmp_path: Path) -> None:
    """Made before the page and the ticket, it still says nothing about when the incident was seen: not beside a page, not beside a
    ticket alone. Alone, it is all there is, and derived."""
    workspace = Workspace()
    at = NOW - 3 * DAY
    by_page, by_ticket, alone = (workspace.room(f"inc-{n}", at + n * HOUR) for n in range(3))
    by_page.topic(at + MINUTE, f"{PAGES}Q0AAAAAAAAAAA1")
    by_ticket.topic(at + HOUR + MINUTE, "OPS-7")
    alone.say(at + 2 * HOUR + MINUTE, "hello")
    with office(workspace, tmp_path) as slack:
        give(slack, [page("Q0AAAAAAAAAAA1", at + 30 * MINUTE, None)], [issue("7", at + HOUR + 40 * MINUTE)])
        found = Found(slack)
    told = {
        one["source"]: (one["detected_source"], one["detected_at"], one["detected_provenance"])
        for one in found.incidents
    }
    assert told == {
        "pagerduty": ("pagerduty", at + 30 * MINUTE, "api"),
        "jira": ("jira", at + HOUR + 40 * MINUTE, told["jira"][2]),
        "slack": ("slack", at + 2 * HOUR, "derived"),
    }


def test_the_address_of_a_channel_leads_to_it(tmp_path: Path) -> None:
    """In a ticket's text, with the id of a message, and whatever the channel is called now."""
    workspace = Workspace()
    room = workspace.room("inc-1", NOW - 5 * HOUR)
    ts = room.say(NOW - 4 * HOUR, "Looking")
    room.rename(NOW - 3 * HOUR, "2026-10-checkout")
    address = f"{workspace.page(room)}/p{ts.replace('.', '')}?thread_ts={ts}&cid={room.id}"
    with office(workspace, tmp_path) as slack:
        give(slack, issues=[issue("7", NOW - 4 * HOUR, f"Talk: {address}")])
        found = Found(slack)
    assert found.groups() == [{"7", room.id}] and found.members[found.incidents[0]["incident_id"]] == {
        ("jira", "7", "primary", None),
        ("slack", room.id, "member", "url"),
    }


def test_a_short_conversation_about_old_incidents_links_to_none(tmp_path: Path) -> None:
    """Trap: people name what this reminds them of, two in one message or one long over in another."""
    workspace = Workspace()
    room = workspace.room("inc-1", NOW - 5 * HOUR)
    room.say(NOW - 5 * HOUR + MINUTE, f"like {PAGES}Q0AAAAAAAAAAA1 or {PAGES}Q0BBBBBBBBBBB2?")
    room.say(NOW - 4 * HOUR, f"or <{PAGES}Q0CCCCCCCCCCC3|that one>")
    ended = NOW - 4 * DAY
    with office(workspace, tmp_path) as slack:
        numbers = ("Q0AAAAAAAAAAA1", "Q0BBBBBBBBBBB2", "Q0CCCCCCCCCCC3")
        give(slack, [page(number, ended - HOUR, ended) for number in numbers])
        found = Found(slack)
    assert len(found.incidents) == 4 and all(len(group) == 1 for group in found.groups())
    assert {row[:2] for row in found.links} == {("message", "text")} and all(row[2] for row in found.links)


def test_a_message_counts_where_it_is_all_that_names_the_page(tmp_path: Path) -> None:
    """One that names one page is a link; not where the topic names another one, which ended this morning."""
    workspace = Workspace()
    linked, other = workspace.room("inc-1", NOW - 5 * HOUR), workspace.room("inc-2", NOW - 5 * HOUR)
    linked.say(NOW - 4 * HOUR, f"this is {PAGES}Q0AAAAAAAAAAA1")
    other.topic(NOW - 4 * HOUR, f"{PAGES}Q0BBBBBBBBBBB2")
    other.say(NOW - 4 * HOUR, f"as this morning: {PAGES}Q0CCCCCCCCCCC3")
    began = {"Q0AAAAAAAAAAA1": 5, "Q0BBBBBBBBBBB2": 5, "Q0CCCCCCCCCCC3": 12}
    with office(workspace, tmp_path) as slack:
        give(slack, [page(number, NOW - n * HOUR, NOW - (n - 2) * HOUR) for number, n in began.items()])
        found = Found(slack)
    assert found.groups() == sorted(
        [{"Q0AAAAAAAAAAA1", linked.id}, {"Q0BBBBBBBBBBB2", other.id}, {"Q0CCCCCCCCCCC3"}], key=sorted
    )


def test_a_standing_channel_joins_no_incidents(tmp_path: Path) -> None:
    """Trap: it lives through all of them and names each. Three days of them are joined by nothing, weeks of them neither."""
    for name, standing, days in (("named", ["^inc-general$"], 3), ("by days", [], 30)):
        workspace = Workspace()
        room = workspace.room("inc-general", NOW - 60 * DAY)
        pages = []
        for day in range(days):
            at, number = NOW - (days - day) * DAY, f"Q0AAAAAAAAA{day:03d}"
            pages.append(page(number, at, at + HOUR))
            room.topic(at + MINUTE, f"now: {PAGES}{number}")
            room.say(at + 2 * MINUTE, f"see {PAGES}{number}")
        with office(workspace, tmp_path / name, standing=standing) as slack:
            give(slack, pages)
            found = Found(slack)
            assert len(found.incidents) == days and {one["source"] for one in found.incidents} == {"pagerduty"}, name
            told = slack.table("staging.slack_findings", "fact, example")
            assert told == ([] if standing else [("standing_channels", "inc-general")])


def test_a_channel_that_is_not_yet_known_to_stand_joins_no_days(tmp_path: Path) -> None:
    """In its first days the guard of links holds: it goes with pages that are days apart, whichever names the other."""
    workspace = Workspace()
    room = workspace.room("inc-desk", NOW - 6 * DAY)
    pages = []
    for day in range(5):
        at, number = NOW - (6 - day) * DAY + HOUR, f"Q0AAAAAAAAA{day:03d}"
        pages.append(page(number, at, at + HOUR))
        room.topic(at + MINUTE, f"now: {PAGES}{number}")
    named = workspace.room("inc-bridge", NOW - 6 * DAY)
    tickets = [issue(str(day), NOW - day * DAY, f"Talk: {workspace.page(named)}") for day in (1, 3, 5)]
    for ticket in tickets:
        ticket["fields"] |= {
            "status": {"name": "Done", "statusCategory": {"key": "done"}},
            "resolutiondate": ticket["fields"]["created"],
        }
    with office(workspace, tmp_path) as slack:
        give(slack, pages, tickets)
        found = Found(slack)
    assert [len(group) for group in found.groups()] == [1] * 10
    assert {row[2] for row in found.links} == {
        "the channel goes with records of one tool that are more than 24 hours apart: a standing channel"
    }


def test_an_archived_channel_without_a_stamp_is_never_open(tmp_path: Path) -> None:
    """Archived with others, it is over at an unknown time: no breach, no open incident."""
    workspace = Workspace()
    rooms = [workspace.room(f"inc-{n}", NOW - 9 * DAY) for n in range(5)]
    for n, room in enumerate(rooms):
        room.archive(NOW - DAY + n * timedelta(seconds=90))
    with office(workspace, tmp_path) as slack:
        found = Found(slack)
    assert [(one["status"], one["resolved_at"], one["closed_at"]) for one in found.incidents] == [
        ("closed", None, None)
    ] * 5
    assert found.findings == [("channels_archived_in_bulk", 5, "info", [f"inc-{n}" for n in range(5)])]


def test_a_channel_alone_is_a_whole_incident(tmp_path: Path) -> None:
    """From its own timeline; the archiving is the close, and where nothing resolved, the resolve too."""
    workspace = Workspace()
    first, second = workspace.room("sev2-search", NOW - 9 * DAY), workspace.room("inc-2", NOW - 8 * DAY)
    first.tool(NOW - 9 * DAY + HOUR, "Rootly", "Status changed from Started to Resolved")
    first.archive(NOW - 7 * DAY)
    second.archive(NOW - 6 * DAY)
    with office(workspace, tmp_path) as slack:
        found = Found(slack)
    told = [
        (one["severity"], one["resolved_at"].replace(microsecond=0), one["resolved_provenance"])
        for one in found.incidents
    ]
    assert told == [("SEV2", NOW - 9 * DAY + HOUR, "api"), ("SEV3", NOW - 6 * DAY, "imputed")]
    assert plain(found.incidents[0]["closed_at"].replace(microsecond=0)) == plain(NOW - 7 * DAY)
