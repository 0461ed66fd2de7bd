"""Received events beside pulled records: they fill the gap after the last pull, and a later pull wins.

The small company of test_late_changes is pulled on day 1. What happens on day 2 is sent as webhooks, made from what the
vendors' own interfaces tell of that day. Single rules are shown on records made by hand.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from support import AS_OF, build_all, land, open_warehouse
from support_e2e import UNTIL
from test_late_changes import Nights, serving, without_references
from test_received import drop, take

from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.database import Warehouse

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
TOOLS = ("pagerduty", "opsgenie", "jira")

Json = dict[str, Any]
Streams = dict[str, list[Json]]


# -- a day of webhooks, made of what the vendors tell of it --------------------------------------------------------------


def newest(landing: Landing, source: str) -> Streams:
    """Stream -> records of the newest extract."""
    manifest = landing.manifests(source)[-1]
    found: Streams = defaultdict(list)
    for file in manifest.files:
        data = (landing.folder(manifest) / file.file).read_bytes()
        lines = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read().splitlines()
        found[file.stream] += map(json.loads, lines)
    return found


def instant(text: str | int) -> datetime:
    if isinstance(text, int):
        return datetime.fromtimestamp(text / 1000 if text > 10**11 else text, UTC)
    return datetime.fromisoformat(text)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


PAGERDUTY_TYPES = {
    "trigger": "incident.triggered",
    "acknowledge": "incident.acknowledged",
    "unacknowledge": "incident.unacknowledged",
    "resolve": "incident.resolved",
    "reopen": "incident.reopened",
    "annotate": "incident.annotated",
    "status_update": "incident.status_update_published",
    "priority_change": "incident.priority_updated",
    "service_change": "incident.service_updated",
}


def pagerduty_events(told: Streams, counts: Callable[[datetime], bool]) -> Iterator[Json]:
    incidents = {row["id"]: row for row in told["incidents"]}
    for entry in sorted(told["log_entries"], key=lambda entry: (entry["created_at"], entry["id"])):
        kind = entry["type"].removesuffix("_log_entry")
        at = instant(entry["created_at"]) + timedelta(milliseconds=169)  # webhooks tell milliseconds
        incident = incidents.get(entry["incident"]["id"])
        if kind not in PAGERDUTY_TYPES or incident is None or not counts(at):
            continue
        if kind in ("annotate", "status_update"):
            channel = entry.get("channel") or {}
            text = entry.get("note") or entry.get("message") or channel.get("content") or channel.get("summary")
            data = {
                "incident": {"id": incident["id"], "type": "incident_reference"},
                "content" if kind == "annotate" else "message": text,
                "type": "incident_note",
            }
        else:
            same = ("id", "html_url", "title", "status", "created_at", "incident_key", "service", "teams", "urgency")
            data = {name: incident.get(name) for name in (*same, "priority", "resolve_reason")}
            data |= {"type": "incident", "number": incident["incident_number"]}
        yield {
            "event": {
                "id": f"E{entry['id']}",
                "event_type": PAGERDUTY_TYPES[kind],
                "resource_type": "incident",
                "occurred_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "agent": entry["agent"],
                "data": data,
            }
        }


OPSGENIE_ACTIONS = {
    r"^alert created": "Create",
    r"acknowledged": "Acknowledge",
    r"closed": "Close",
    r"priority": "UpdatePriority",
    r"snoozed": "Snooze",
}


def opsgenie_events(told: Streams, counts: Callable[[datetime], bool]) -> Iterator[Json]:
    details = {row["id"]: row for row in told["alert_details"]}

    def body(action: str, parent: str, at: datetime, **more: Any) -> Json:
        alert = details[parent]
        same = ("tinyId", "alias", "message", "tags", "priority", "entity", "details", "responders")
        shown = {name: alert[name] for name in same if name in alert}
        stamps = {"createdAt": ms(instant(alert["createdAt"])), "updatedAt": ms(at) * 1_000_000}
        return {"action": action, "alert": {"alertId": parent, **shown, **stamps, **more}, "source": {"type": "web"}}

    for line in told["alert_logs"]:
        record, at = line["record"], instant(line["record"]["createdAt"])
        action = next(
            (a for pattern, a in OPSGENIE_ACTIONS.items() if re.search(pattern, record["log"], re.I)), "Other"
        )
        if line["parent_id"] in details and counts(at):
            yield body(action, line["parent_id"], at, username=record["owner"])
    for line in told["alert_notes"]:
        record, at = line["record"], instant(line["record"]["createdAt"])
        if line["parent_id"] in details and counts(at):
            yield body("AddNote", line["parent_id"], at, username=record["owner"], note=record["note"])


def jira_events(told: Streams, counts: Callable[[datetime], bool]) -> Iterator[Json]:
    issues = {row["id"]: row for row in told["issues"]}
    for issue in issues.values():
        if counts(at := instant(issue["fields"]["created"])):
            yield {"timestamp": ms(at), "webhookEvent": "jira:issue_created", "issue": issue}
    seen = set()
    for line in told["changelogs"]:
        for history in line["changeHistories"]:
            at = instant(history["created"])
            if counts(at) and line["issueId"] in issues and history["id"] not in seen:
                seen.add(history["id"])
                yield {
                    "timestamp": ms(at),
                    "webhookEvent": "jira:issue_updated",
                    "user": history["author"],
                    "issue": issues[line["issueId"]],
                    "changelog": {"id": history["id"], "items": history["items"]},
                }


SENDERS = {"pagerduty": pagerduty_events, "opsgenie": opsgenie_events, "jira": jira_events}


@pytest.mark.slow
def test_received_events_fill_the_gap_and_a_later_pull_wins(tmp_path: Path) -> None:
    """Day 1 is pulled, day 2 only received: the incidents are those that a pull of day 2 finds. After the pull of day 2 the
    table is, to the last column, the one of somebody who never received anything."""
    with serving() as server:
        truth = Nights(server, tmp_path / "truth", TOOLS)
        night = Nights(server, tmp_path / "night", TOOLS)
        truth.pull(UNTIL)
        night.pull(UNTIL)
        now = UNTIL + DAY
        truth.pull(now)
        total = 0
        for source, events in SENDERS.items():
            bodies = list(events(newest(truth.landing, source), lambda at: UNTIL - 40 * MINUTE < at <= now))
            total += len(bodies)
            drop(night.folder, f"{source}.jsonl", b"\n".join(json.dumps(body).encode() for body in bodies))
        assert total > 40
        take(night.folder)
        received, pulled = night.incidents(now), truth.incidents(now)
        found, expected = compared(received), compared(pulled)
        gone = found.keys() - expected.keys()  # nobody sends that a record was deleted
        assert expected.keys() <= found.keys() and len(gone) < 10
        wrong = {
            key: {name: (found[key][name], value) for name, value in row.items() if found[key][name] != value}
            for key, row in expected.items()
            if found[key] != row
        }
        assert wrong == {}

        later = now + HOUR
        truth.pull(later)
        night.pull(later)
        assert without_references(night.incidents(later)) == without_references(truth.incidents(later))


SAME = ("title", "severity", "service", "team", "status", "kind", "reopen_count", "ack_count", "episode")
STAMPS = ("detected_at", "acknowledged_at", "root_cause_found_at", "mitigated_at", "resolved_at")


def compared(found: list[Json]) -> dict[tuple[str, str, int], Json]:
    """What both ways must agree on; instants to the second, because webhooks and interfaces round them differently."""
    return {
        (row["source"], row["external_id"], row["episode"]): {name: row[name] for name in SAME}
        | {name: row[name] and row[name].replace(microsecond=0) for name in STAMPS}
        for row in found
        if row["source"] in TOOLS
    }


# -- single rules, on records made by hand; AS_OF is the mark of the pull ------------------------------------------------


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def incident(name: str = "P1", **more: Any) -> Json:
    """A pulled PagerDuty incident: triggered a day before the mark."""
    at = iso(AS_OF - DAY)
    service = {"id": "S1", "summary": "Checkout"}
    same = {"id": name, "title": "as pulled", "status": "triggered", "urgency": "high", "service": service}
    return {**same, "created_at": at, "updated_at": at, "last_status_change_at": at, **more}


def entry(kind: str, at: datetime, name: str = "P1") -> Json:
    return {
        "id": f"{name}-{kind}-{at:%H%M%S}",
        "type": f"{kind}_log_entry",
        "created_at": iso(at),
        "incident": {"id": name},
    }


def event(kind: str, at: datetime, name: str = "P1", **more: Any) -> Json:
    """The body of a PagerDuty event."""
    service = {"id": "S1", "summary": "Checkout", "type": "service_reference"}
    data = {
        "id": name,
        "type": "incident",
        "status": kind,
        "title": "as received",
        "urgency": "low",
        "service": service,
    }
    data |= {"created_at": iso(AS_OF - DAY), **more}
    told = {
        "id": f"{name}-{kind}-{at:%d%H%M%S%f}",
        "event_type": f"incident.{kind}",
        "occurred_at": iso(at),
        "data": data,
    }
    return {"event": {**told, "agent": {"type": "user_reference", "summary": "Ada"}}}


def opsgenie(action: str, at: datetime, name: str = "A1") -> Json:
    stamps = {"createdAt": ms(AS_OF - DAY), "updatedAt": ms(at)}
    return {"action": action, "alert": {"alertId": name, "message": "as received", "priority": "P2", **stamps}}


def jira(kind: str, at: datetime, name: str = "7", type_name: str = "Incident") -> Json:
    fields = {
        "summary": "as received",
        "issuetype": {"name": type_name},
        "created": iso(AS_OF - DAY),
        "updated": iso(at),
    }
    return {
        "timestamp": ms(at),
        "webhookEvent": f"jira:issue_{kind}",
        "issue": {"id": name, "key": "OPS-7", "fields": fields},
    }


@contextmanager
def night(folder: Path, *bodies: Json, as_of: datetime = AS_OF + DAY, **pulled: Streams) -> Iterator[Warehouse]:
    """A pull up to AS_OF, then these bodies, then the tables as of a day later."""
    landing = Landing(folder / "landing")
    for source, streams in pulled.items():
        land(landing, source, streams)
    for number, body in enumerate(bodies):
        drop(folder, f"{number:03d}.json", body)
    take(folder)
    warehouse = open_warehouse(folder, as_of=as_of, after_nothing=True)
    try:
        warehouse.load(landing)
        build_all(warehouse, ["core.incidents", "mart.records", "mart.incident_events"])
        yield warehouse
    finally:
        warehouse.close()


def acknowledged(warehouse: Warehouse) -> list[datetime]:
    found = warehouse.con.execute(
        "SELECT \"at\" FROM mart.incident_events WHERE event_type = 'acknowledged' ORDER BY ALL"
    ).fetchall()
    return [row[0] for row in found]


def titles(warehouse: Warehouse) -> list[tuple[str, str]]:
    return warehouse.con.execute("SELECT external_id, title FROM mart.incidents ORDER BY ALL").fetchall()


def test_up_to_the_mark_the_pull_is_right(tmp_path: Path) -> None:
    """What was received about a time that was pulled is not used, be it about a known record or about none."""
    early, late = AS_OF - MINUTE, AS_OF + HOUR
    known = {"incidents": [incident()]}
    with night(tmp_path / "a", event("acknowledged", early), event("triggered", early, "P2"), pagerduty=known) as told:
        assert titles(told) == [("P1", "as pulled")] and acknowledged(told) == []
    with night(tmp_path / "b", event("acknowledged", late), event("triggered", late, "P2"), pagerduty=known) as told:
        assert titles(told) == [("P1", "as received"), ("P2", "as received")] and acknowledged(told) == [late]


def test_what_the_pull_has_seen_already_is_not_counted_again(tmp_path: Path) -> None:
    """A pull reads beyond its mark. Its entries and the received ones differ by the seconds that a delivery takes."""
    at = AS_OF + 10 * MINUTE
    pulled = {
        "incidents": [incident(updated_at=iso(at), status="acknowledged")],
        "log_entries": [entry("acknowledge", at), entry("acknowledge", at, "P3")],
    }
    bodies = [event("acknowledged", at + timedelta(seconds=s)) for s in (0.2, 59, 61)]
    with night(tmp_path, *bodies, pagerduty=pulled) as told:
        assert acknowledged(told) == [at, at + timedelta(seconds=61)]


def test_an_older_body_does_not_undo_what_was_pulled_later(tmp_path: Path) -> None:
    """The newest of the two is shown, the second of the vendor's clock being its tick."""
    at = AS_OF + 10 * MINUTE
    pulled = {"incidents": [incident(updated_at=iso(at))]}
    with night(tmp_path / "a", event("priority_updated", at + timedelta(seconds=0.9)), pagerduty=pulled) as told:
        assert titles(told) == [("P1", "as pulled")]
    with night(tmp_path / "b", event("priority_updated", at + timedelta(seconds=1)), pagerduty=pulled) as told:
        assert titles(told) == [("P1", "as received")]


def test_a_stamp_in_the_future_replaces_nothing(tmp_path: Path) -> None:
    """It would lie after every mark, and so win over every pull to come."""
    far = AS_OF + 400 * DAY
    bodies = [event("resolved", far), opsgenie("Close", far), jira("updated", far)]
    with night(tmp_path, *bodies, pagerduty={"incidents": [incident()]}) as told:
        assert titles(told) == [("P1", "as pulled")]
        assert told.con.execute("SELECT count(*) FROM core.events WHERE set_aside IS NOT NULL").fetchone() == (2,)


def test_a_merge_that_was_received_counts_once(tmp_path: Path) -> None:
    """Until the pull says so too, two incidents of one outage would be two."""
    at = AS_OF + HOUR
    reason = {"type": "merge_resolve_reason", "incident": {"id": "P1", "type": "incident_reference"}}
    pulled = {"incidents": [incident(), incident("P2")]}
    with night(tmp_path, event("resolved", at, "P2", resolve_reason=reason), pagerduty=pulled) as told:
        found = told.con.execute(
            "SELECT r.external_id, r.role, i.external_id FROM mart.records AS r JOIN mart.incidents AS i USING (incident_id) "
            "ORDER BY ALL"
        ).fetchall()
        assert found == [("P1", "primary", "P1"), ("P2", "duplicate", "P1")]


def test_a_deleted_record_comes_back_only_by_what_happened_later(tmp_path: Path) -> None:
    """A retry that arrives after the deletion is no sign of life."""
    missed = AS_OF + HOUR
    gone = {"stream": "incidents", "id": "P1", "seen_missing_at": iso(missed)}
    pulled = {"incidents": [incident()], "tombstones": [gone]}
    with night(tmp_path / "a", event("acknowledged", missed - MINUTE), pagerduty=pulled) as told:
        assert titles(told) == []
    with night(tmp_path / "b", event("acknowledged", missed + MINUTE), pagerduty=pulled) as told:
        assert titles(told) == [("P1", "as received")]


def test_a_received_deletion_holds_until_a_pull_says_otherwise(tmp_path: Path) -> None:
    """Jira and Opsgenie tell of deletions; a search tells nothing about them until somebody counts."""
    at = AS_OF + HOUR
    created = iso(AS_OF - DAY)
    alert = {"id": "A1", "message": "as pulled", "status": "open", "createdAt": created, "updatedAt": created}
    issue = {"id": "7", "key": "OPS-7", "fields": {"summary": "as pulled", "created": created, "updated": created}}
    bodies = [opsgenie("Delete", at), jira("deleted", at)]
    with night(tmp_path, *bodies, opsgenie={"alerts": [alert]}, jira={"issues": [issue]}) as told:
        assert titles(told) == []
    landing = Landing(tmp_path / "landing")
    for source, streams in {"opsgenie": {"alerts": [alert]}, "jira": {"issues": [issue]}}.items():
        extract = landing.begin(source, "run-2", {"run": "run-2"})
        for stream, payloads in streams.items():
            extract.land(stream, "all", (json.dumps(payload).encode() for payload in payloads))
        extract.finish(AS_OF + DAY)
    with night(tmp_path) as told:
        assert titles(told) == [("7", "as pulled"), ("A1", "as pulled")]


def test_only_issues_that_say_incident_are_taken_unseen(tmp_path: Path) -> None:
    """A site's webhook sends every kind of issue; those that were pulled are incidents whatever their type is called."""
    at = AS_OF + HOUR
    created = iso(AS_OF - DAY)
    issue = {"id": "8", "key": "OPS-8", "fields": {"summary": "as pulled", "created": created, "updated": created}}
    bodies = [
        jira("updated", at, "7", "[System] Incident"),
        jira("updated", at, "8", "Outage"),
        jira("updated", at, "9", "Task"),
    ]
    with night(tmp_path, *bodies, jira={"issues": [issue]}) as told:
        assert titles(told) == [("7", "as received"), ("8", "as received")]


def test_alerts_of_jsm_are_left_to_the_pull(tmp_path: Path) -> None:
    """JSM Operations sends the bodies of Opsgenie: an alert must not be counted under both names."""
    at = AS_OF + HOUR
    alert = {"id": "A1", "message": "as pulled", "status": "open", "createdAt": iso(AS_OF - DAY)}
    with night(tmp_path, opsgenie("Acknowledge", at), opsgenie("Create", at, "A2"), jsm={"alerts": [alert]}) as told:
        found = told.con.execute("SELECT source, external_id FROM mart.incidents ORDER BY ALL").fetchall()
        assert found == [("jsm", "A1"), ("opsgenie", "A2")]
