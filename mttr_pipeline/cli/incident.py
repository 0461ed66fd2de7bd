"""`mttr incident`: the evidence of one incident, for a terminal, for a document, and for a program.

What does not belong here: what the evidence is (`cli.evidence`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from mttr_pipeline.cli.answer import json_of
from mttr_pipeline.cli.evidence import RELATIONS, TIES, Row, evidence
from mttr_pipeline.cli.exits import DONE, Globals, exits
from mttr_pipeline.cli.published import database, opened
from mttr_pipeline.cli.terminal import minutes, wide_console
from mttr_pipeline.hidden import one_line

_MARKS = re.compile(r"([\\`*_\[\]<>|~])")
#: The sections after the head, in the order of a reader: part of the evidence, its title, and what is said where it is empty.
_SECTIONS = (
    ("stamps", "Stamps", "No stamp is known."),
    ("records", "Records it is made of", "No record."),
    ("conflicts", "Stamps that its records disagree about", None),
    ("breaches", "Target", None),
    ("deploys", "Deploys", "No deploy of its service is known before or during it."),
    ("errors", "Errors", None),
    ("timeline", "Timeline", "Nothing is known."),
    ("follow_ups", "Post-mortem and follow-ups", None),
    ("links_not_followed", "Named in its records, and kept apart", None),
    ("same_errors", "Earlier ones with the same error", None),
    ("similar", "Similar earlier ones", "None with the same record, a similar title or the same root cause."),
)
#: A text and the address that it leads to.
Cell = tuple[str | None, str | None]


@click.command()
@click.argument("name", metavar="ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="How to print it.",
)
@exits
def incident(given: Globals, name: str, form: str) -> int:
    """Print the evidence of one incident: its records, timeline, deploys, and similar earlier ones, each with its link.

    ID is an incident_id or its beginning, source:external_id of a record, the key that people see, or the address of its page.
    """
    with opened(database(given.settings(), f"incident {name}")) as con:
        found = evidence(con, name)
    if form == "json":
        click.echo(json_of(found))
    elif form == "markdown":
        click.echo("\n".join(_markdown(found)))
    else:
        _print(wide_console(), found)
    return DONE


def _print(console: Console, found: Row) -> None:
    for line in _head(found):
        console.print(line, soft_wrap=True, highlight=False)
    for part, title, rows, nothing in _sections(found):
        if not rows:
            console.print(f"\n{title}\n  {nothing}", soft_wrap=True, highlight=False)
            continue
        names = [name for name, _ in _SAID[part](rows[0])]
        table = Table(title=f"\n{title}", title_justify="left", box=box.SIMPLE_HEAD)
        for name in names:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(" ".join(filter(None, cell)) or "-" for _, cell in _SAID[part](row)))
        console.print(table)


def _markdown(found: Row) -> Iterator[str]:
    first, *others = _head(found)
    yield f"# {_escaped(first)}"
    yield ""
    yield from (f"{_escaped(line)}  " for line in others)
    for part, title, rows, nothing in _sections(found):
        yield from ("", f"## {title}", "")
        if not rows:
            yield nothing
            continue
        names = [name for name, _ in _SAID[part](rows[0])]
        yield f"| {' | '.join(names)} |"
        yield f"|{' --- |' * len(names)}"
        for row in rows:
            yield f"| {' | '.join(_linked(*cell) for _, cell in _SAID[part](row))} |"


def _sections(found: Row) -> Iterator[tuple[str, str, list[Row], str]]:
    """Part, title, rows and what is said without rows, of each section that has something to say."""
    for part, title, nothing in _SECTIONS:
        if part in found and (found[part] or nothing):
            yield part, title, found[part], nothing or ""


def _head(found: Row) -> list[str]:
    it = found["incident"]
    state = f"{it['kind']}, {it['severity']}, {it['status']}"
    took = (
        "not over"
        if it["resolve_minutes"] is None
        else f"{minutes(it['resolve_minutes'])} min from detected to resolved"
    )
    cost = [
        f"{it['affected_users']:,} users affected" if it["affected_users"] is not None else None,
        f"revenue impact {it['revenue_impact']:,.2f}" if it["revenue_impact"] is not None else None,
        f"root cause: {it['root_cause_category']}" if it["root_cause_category"] else None,
        f"reopened {it['reopen_count']} times" if it["reopen_count"] else None,
        f"comes again from {it['recurrence_of']}" if it["recurrence_of"] else None,
        "abandoned: open long beyond its like" if it["is_abandoned"] else None,
    ]
    lines = [
        " ".join(filter(None, (it["key"] or it["external_id"], it["title"]))),
        f"{state}; service {it['service'] or 'unknown'}, team {it['team'] or 'unknown'}; {took}",
        "; ".join(filter(None, cost)),
        f"incident_id {it['incident_id']}, as of {_moment(found['as_of'])}",
        it["url"] or "",
    ]
    return [line for line in lines if line]


def _record(row: Row, prefix: str = "") -> Cell:
    shown = row.get(f"{prefix}key") or f"{row[f'{prefix}source']}:{row[f'{prefix}external_id']}"
    return shown, row.get(f"{prefix}url")


def _plain(text: object) -> Cell:
    return (None if text is None else str(text)), None


_SAID: Mapping[str, Callable[[Row], list[tuple[str, Cell]]]] = {
    "stamps": lambda row: [
        ("stamp", _plain(row["stamp"].replace("_", " "))),
        ("at", _plain(_moment(row["at"]))),
        ("from", _plain(row["source"])),
        ("known by", _plain(row["provenance"])),
    ],
    "records": lambda row: [
        ("record", _record(row)),
        ("source", _plain(row["source"])),
        ("title", _plain(row["title"])),
        ("role", _plain(row["role"])),
        ("joined by", _plain(row["link_reason"])),
        ("severity", _plain(row["severity"])),
        ("detected", _plain(_moment(row["detected_at"]))),
        ("resolved", _plain(_moment(row["resolved_at"]))),
    ],
    "conflicts": lambda row: [
        ("stamp", _plain(row["stamp"])),
        ("chosen", _plain(f"{_moment(row['chosen_at'])} {row['chosen_source']}")),
        ("other", _plain(f"{_moment(row['other_at'])} {row['other_source']}")),
        ("min apart", _plain(minutes(row["minutes_apart"]))),
    ],
    "breaches": lambda row: [
        ("target, min", _plain(minutes(row["target_minutes"]))),
        ("so far, min" if row["is_open"] else "took, min", _plain(minutes(row["actual_minutes"]))),
        ("over, min", _plain(minutes(row["over_minutes"]))),
    ],
    "deploys": lambda row: [
        ("deploy", (" ".join(filter(None, (row["service"], row["version"] or (row["sha"] or "")[:12]))), row["url"])),
        ("environment", _plain(row["environment"])),
        ("finished", _plain(_moment(row["finished_at"]))),
        ("min before", _plain(minutes(row["minutes_before"]))),
        ("relation", _plain(RELATIONS[row["relation"]] + (f" ({row['method']})" if row["method"] else ""))),
        ("rollback", _plain("is one" if row["is_rollback"] else "was rolled back" if row["was_rolled_back"] else None)),
        ("title", _plain(row["title"])),
    ],
    "timeline": lambda row: [
        ("at", _plain(_moment(row["at"]))),
        ("what", _plain(row["what"].replace("_", " "))),
        ("record", (f"{row['source']}:{row['external_id']}", row["url"])),
        ("who", _plain(row["actor"])),
        ("text", _plain(row["text"])),
    ],
    "errors": lambda row: [
        ("issue", _record(row)),
        ("title", _plain(row["title"])),
        ("relation", _plain(TIES[row["method"]])),
        ("min after detected", _plain(minutes(row["minutes_from_detected"]))),
        ("level", _plain(row["level"])),
        ("users", _plain(None if row["users"] is None else f"{row['users']:,}")),
        ("status", _plain(row["status"])),
        ("fix", _plain(row["fix_state"])),
    ],
    "same_errors": lambda row: [
        ("incident", _record(row)),
        ("title", _plain(row["title"])),
        ("error", _plain(" ".join(filter(None, (row["error"], row["error_title"]))))),
        ("detected", _plain(_moment(row["detected_at"]))),
        ("min", _plain(minutes(row["resolve_minutes"]))),
    ],
    "follow_ups": lambda row: [
        ("kind", _plain(row["kind"].replace("_", " "))),
        ("record", (row.get("key") or row["external_id"] or "none", row.get("url"))),
        ("title", _plain(row.get("title"))),
        ("due", _plain(_moment(row["due_at"]))),
        ("completed", _plain(_moment(row["completed_at"]))),
        ("on time", _plain({True: "yes", False: "no", None: None}[row["on_time"]])),
    ],
    "links_not_followed": lambda row: [
        ("record", _record(row)),
        ("place", _plain(row["place"])),
        ("names", _plain(row["target"])),
        ("why apart", _plain(row["why"])),
    ],
    "similar": lambda row: [
        ("incident", _record(row)),
        ("title", _plain(row["title"])),
        ("why", _plain(row["why"])),
        ("detected", _plain(_moment(row["detected_at"]))),
        ("min", _plain(minutes(row["resolve_minutes"]))),
        ("what was found and done", _plain("; ".join(_endings(row)) or None)),
    ],
}


def _endings(row: Row) -> Iterator[str]:
    """Only what somebody said or did; nothing where nobody did."""
    ended = row["ended_by"]
    for rollback in ended.get("rollbacks", ()):
        version = rollback["version"] or "an earlier version"
        yield f"rollback of {rollback['service']} to {version} at {_moment(rollback['finished_at'])}"
    for note in ended.get("notes", ()):
        yield str(note["text"])
    if row["root_cause_category"]:
        yield f"root cause: {row['root_cause_category']}"
    if row["resolution_kind"] in ("integration", "timeout"):
        yield f"resolved by {row['resolution_kind']}"
    for written in ended.get("post_mortems", ()):
        yield " ".join(filter(None, ("post-mortem", written["key"] or written["external_id"], written["url"])))


def _moment(text: str | None) -> str | None:
    return None if text is None else f"{text[:10]} {text[11:19]} UTC"


def _linked(text: str | None, address: str | None) -> str:
    shown = _escaped(text or "-")
    return f"[{shown}](<{address.replace('>', '%3E').replace('|', '%7C')}>)" if address else shown


def _escaped(text: Any) -> str:
    """A text of a vendor on one line that Markdown shows as it is."""
    return _MARKS.sub(r"\\\1", one_line(str(text)))
