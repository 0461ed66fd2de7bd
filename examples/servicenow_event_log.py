"""Turn the UCI "Incident management process enriched event log" (ServiceNow) into custom incident records.

    python examples/servicenow_event_log.py incident_event_log.csv servicenow.jsonl

One record per incident, one JSON object per line, ready for `mttr import`. The log gives local times without a zone;
they are read as UTC. examples/README.md lists what the records contain, what is left out, and why.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

COLUMNS = (
    *("number", "incident_state", "reopen_count", "opened_at", "sys_updated_by", "sys_updated_at", "contact_type"),
    *("category", "subcategory", "u_symptom", "priority", "assignment_group", "resolved_at"),
)
SEVERITY = {"1": "SEV1", "2": "SEV2", "3": "SEV3", "4": "SEV4"}
EVENTS = {  # every other state becomes a note; New too: it says when the record was typed in, after the detection
    "Active": "investigating",
    **{f"Awaiting {what}": "paused" for what in ("User Info", "Problem", "Vendor", "Evidence")},
}
OVER = {"Resolved", "Closed"}
SAME_INCIDENT = timedelta(hours=24)  # a reopen later than this would be told as a new episode of the incident

Row = dict[str, str]
Entry = dict[str, str]


class Visit(NamedTuple):
    """A stay of an incident in one state, with its rows."""

    state: str
    rows: list[Row]

    @property
    def first(self) -> datetime:
        return instant(self.rows[0]["sys_updated_at"])

    @property
    def last(self) -> datetime:
        return instant(self.rows[-1]["sys_updated_at"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path, help="the event log, .csv or .csv.zst")
    parser.add_argument("output", type=Path, help="the file to write, .jsonl")
    arguments = parser.parse_args()
    partial = arguments.output.with_name(arguments.output.name + ".part")
    try:
        with partial.open("w", encoding="utf-8") as out:
            records = unresolved = 0
            for record in convert(read_rows(arguments.input)):
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
                records += 1
                unresolved += "resolved_at" not in record
        partial.replace(arguments.output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        sys.exit(f"{error.filename}: {error.strerror}. Nothing was written; correct the file name.")
    except (ValueError, zstandard.ZstdError) as error:
        partial.unlink(missing_ok=True)
        sys.exit(f"{arguments.input}: {error}. Nothing was written; give the event log as it was published.")
    print(f"{records:,} records in {arguments.output}, {unresolved:,} of them without resolved_at; times taken as UTC.")


def read_text(path: Path) -> io.TextIOWrapper:
    """The text of a file, decompressed when its name ends in .zst. Raises ValueError for one that was cut short."""
    content = path.read_bytes()
    if path.suffix == ".zst":
        frame = zstandard.ZstdDecompressor().decompressobj()
        content = frame.decompress(content)
        if not frame.eof:
            raise ValueError("the compressed file ends early")
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of the log with the columns needed here; `?` becomes empty. Raises ValueError for any other file."""
    reader = csv.DictReader(read_text(path))
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise ValueError(f"no column {', '.join(missing)}")
    for row in reader:
        yield {name: "" if (row[name] or "?") == "?" else row[name] for name in COLUMNS}


def convert(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """One custom record per incident, in the order of the log. Raises ValueError for a date that is none."""
    incidents: dict[str, list[Row]] = {}
    for row in rows:
        incidents.setdefault(row["number"], []).append(row)
    for number, its_rows in incidents.items():
        try:
            yield one_incident(number, its_rows)
        except ValueError as error:
            raise ValueError(f"incident {number}: {error}") from error


def one_incident(number: str, rows: list[Row]) -> dict[str, Any]:
    last = rows[-1]  # priority, group and category change during an incident: what it ended with counts
    resolved_at = instant(last["resolved_at"]) if last["resolved_at"] else None
    what = [last[name] for name in ("category", "subcategory", "u_symptom") if last[name]]
    tags = [last["contact_type"], "reopened" if last["reopen_count"] not in ("", "0") else ""]
    record = {
        "external_id": number,
        "title": f"{number} {', '.join(what)}".strip(),
        "severity": SEVERITY.get(last["priority"][:1]),
        "kind": "incident",
        "status": last["incident_state"] if last["incident_state"] in OVER else None,
        "detected_at": iso(instant(last["opened_at"])),
        "resolved_at": iso(resolved_at) if resolved_at else None,
        "service": last["category"],
        "team": next((row["assignment_group"] for row in reversed(rows) if row["assignment_group"]), None),
        "tags": [tag for tag in tags if tag],
        "updated_at": iso(max(instant(row["sys_updated_at"]) for row in rows)),
        "timeline": timeline(rows, resolved_at),
    }
    return {name: value for name, value in record.items() if value}


def timeline(rows: list[Row], resolved_at: datetime | None) -> list[Entry]:
    """The changes of state, in the order of the log, as events that agree with the column resolved_at."""
    visits = [Visit(state, list(its)) for state, its in groupby(rows, key=lambda row: row["incident_state"])]
    ends = events_of_the_end(visits, resolved_at)
    entries = []
    for number, visit in enumerate(visits):
        row = visit.rows[
            -1 if visit.state == "Resolved" else 0
        ]  # each update of a resolved incident renews resolved_at
        kind = ends.get(number) or EVENTS.get(visit.state, "note")
        made = {"event_type": kind, "at": iso(instant(row["sys_updated_at"])), "actor": row["sys_updated_by"]}
        entries.append({name: value for name, value in (made | {"notes": visit.state}).items() if value})
    return entries


def events_of_the_end(visits: list[Visit], resolved_at: datetime | None) -> dict[int, str]:
    """Which visits are told as `resolved` and `reopened`: the resolve of the column, and before it those that were
    taken back within a day. No other is: as an event, a resolve without resolved_at would end an incident that the log
    does not call resolved, and a late reopen would make two incidents out of one.
    """
    resolves = [number for number, visit in enumerate(visits) if visit.state == "Resolved"]
    if not resolves or visits[resolves[-1]].last != resolved_at:
        return {}
    told = {resolves[-1]: "resolved"}
    for one, following in pairwise(resolves):
        back = next((n for n in range(one + 1, following) if visits[n].state != "Closed"), None)
        if back is None or not visits[one].last <= visits[back].first < visits[following].last:
            continue
        if visits[back].first - visits[one].last < SAME_INCIDENT:
            told |= {one: "resolved", back: "reopened"}
    return told


@lru_cache(maxsize=100_000)
def instant(text: str) -> datetime:
    """`dd/mm/yyyy HH:MM`, taken as UTC. Raises ValueError for anything else."""
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    main()
