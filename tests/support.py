"""What the tests of the SQL share: the real door into the warehouse, drawn examples, and comparisons with the reference.

`door` lands records the way a run does (custom records through the importer, PagerDuty payloads through the landing zone),
loads them and builds every table. A build takes most of a second, so tests draw many small histories and build once:
every history gets ids of its own and is then compared by itself.
"""

from __future__ import annotations

import functools
import io
import json
import math
import os
import resource
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reference import DAY, STAMPS, Event, Incident, Record
from sharing import made_once

from mttr_pipeline.config.settings import Settings, settings_of
from mttr_pipeline.intake.importer import import_files
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.registry import registry
from mttr_pipeline.warehouse.catalog import Catalog
from mttr_pipeline.warehouse.database import Warehouse

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
AS_OF_US = int(AS_OF.timestamp()) * 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
THIS_RUN = "SELECT table_name FROM ops.builds WHERE run_id = ?"
FAR = int(os.environ.get("MTTR_TEST_EXAMPLES", "1"))  # times as many examples, and other ones each time, when above 1


def instant(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


def iso(us: int) -> str:
    """ISO 8601 with Z; also for years that Python's datetime does not reach."""
    days, rest = divmod(us, DAY)
    year = 0
    while days > 2_900_000:  # whole cycles of 400 years
        days, year = days - 146_097, year + 400
    at = EPOCH + timedelta(days=days, microseconds=rest)
    return f"{at.year + year:04d}-{at:%m-%dT%H:%M:%S.%f}Z"


def microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """That many examples, the same ones in every run. For tests that build once and compare each."""
    found: list[Any] = []

    @settings(
        max_examples=count * FAR,
        derandomize=FAR == 1,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def examples(count: int) -> settings:
    """Hypothesis settings of the property tests: reproducible, without a clock."""
    return settings(
        max_examples=count * FAR,
        derandomize=FAR == 1,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def slow(*values: Any) -> list[Any]:
    """Values of a parameter that run among the slow tests, because a fast one shows the same of another value."""
    return [
        pytest.param(*value, marks=pytest.mark.slow)
        if isinstance(value, tuple)
        else pytest.param(value, marks=pytest.mark.slow)
        for value in values
    ]


def more_where_slow(count: int, thorough: int) -> pytest.MarkDecorator:
    """Gives a test the parameter `count`: few examples where one takes long, and all of them among the slow tests."""
    return pytest.mark.parametrize("count", [count, pytest.param(thorough, marks=pytest.mark.slow)])


# --- the door ---------------------------------------------------------------------------------------------------------


def land_custom(landing: Landing, records: Sequence[dict[str, Any]], run_id: str = "run-1") -> None:
    """As `mttr import` does it."""
    path = landing.root.parent / f"{run_id}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    import_files([path], landing, run_id)


def land(landing: Landing, source: str, streams: dict[str, list[dict[str, Any]]], run_id: str = "run-1") -> None:
    """As an extraction leaves it: the payloads, one a line."""
    extract = landing.begin(source, run_id, {"run": run_id})
    for stream, payloads in streams.items():
        extract.land(stream, "all", (json.dumps(payload).encode() for payload in payloads))
    extract.finish(AS_OF)


def settings_for(folder: Path, configured: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> Settings:
    """The settings of an `mttr.toml` with this content and of these environment variables."""
    return settings_of(configured or {}, registry().sources, env or {}, data_dir=folder)


def open_warehouse(
    folder: Path,
    configured: dict[str, Any] | None = None,
    as_of: datetime = AS_OF,
    run_id: str = "run-1",
    *,
    after_nothing: bool = False,
) -> Warehouse:
    """`after_nothing` starts from the tables of a company without any history, so that `build_all` need not make all of them.

    It has one thread: as many tests as there are cores run at the same time, and a table of a few rows takes longer with two.
    """
    if after_nothing and not (folder / "work.duckdb").exists():
        folder.mkdir(parents=True, exist_ok=True)
        copy_database(empty(), folder)
    warehouse = Warehouse(folder / "work.duckdb", settings_for(folder, configured), as_of, run_id)
    warehouse.con.execute("SET threads = 1")
    return warehouse


def discard(warehouse: Warehouse) -> None:
    """Close a warehouse whose files nobody opens again: what is still to be written into them is not."""
    warehouse.con.execute("PRAGMA disable_checkpoint_on_shutdown")
    warehouse.close()


def copy_database(source: Path, folder: Path) -> None:
    """The two files of a closed working database."""
    for path in source.glob("work*.duckdb"):
        shutil.copyfile(path, folder / path.name)


def build_all(warehouse: Warehouse, only: Sequence[str] = ()) -> None:
    """Every table, or those named and what they are made from; and every promise of their headers.

    Tables of sources of which nothing was loaded are left as they are where this run made them already: empty.
    """
    models = {model.table: model for model in warehouse.catalog}
    wanted, more = set(models if not only else ()), list(only)
    while more:
        table = more.pop()
        if table not in wanted:
            wanted.add(table)
            more += models[table].depends
    loaded = {source for (source,) in warehouse.con.execute("SELECT DISTINCT source FROM ops.loads").fetchall()}
    made = {table for (table,) in warehouse.con.execute(THIS_RUN, [warehouse.run_id]).fetchall()}
    wanted -= untouched(warehouse.catalog, loaded) & made
    for model in models.values():
        if model.table in wanted:
            warehouse.build(model)
            assert [check for check in warehouse.check(model) if not check.passed] == [], model.table


@functools.cache
def empty() -> Path:
    """The folder with the working database of a company without any history; copied, it saves tests from building tables."""
    return made_once("empty", _without_history)


def _without_history(folder: Path) -> None:
    warehouse = open_warehouse(folder)
    build_all(warehouse)
    warehouse.close()


def untouched(catalog: Catalog, loaded: set[str]) -> set[str]:
    """Tables that are made of other sources' payloads alone, and so are empty."""
    sources: dict[str, set[str]] = {}
    for model in catalog:
        above = [sources[name] for name in model.depends]
        sources[model.table] = {model.source} if model.schema == "raw" and model.source else set().union(*above)
    return {
        table
        for table, made_of in sources.items()
        if made_of and not made_of & loaded and table.startswith(("raw.", "staging."))
    }


@contextmanager
def door(
    folder: Path,
    custom: Sequence[dict[str, Any]] = (),
    pagerduty: dict[str, list[dict[str, Any]]] | None = None,
    configured: dict[str, Any] | None = None,
    only: Sequence[str] = (),
) -> Iterator[Warehouse]:
    """A warehouse with every table built from these records, or only those that are named and what they need. Without records and
    settings it is that of `empty`."""
    landing = Landing(folder / "landing")
    if custom:
        land_custom(landing, custom)
    if pagerduty:
        land(landing, "pagerduty", pagerduty)
    warehouse = open_warehouse(folder, configured, after_nothing=True)
    try:
        if custom or pagerduty or configured:
            warehouse.load(landing)
            build_all(warehouse, only)
        yield warehouse
    finally:
        discard(warehouse)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may grow beyond this: writes fail as on a full disk, in the middle of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def rows(con: Any, query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    cursor = con.execute(query, list(values))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# --- what a record says, for the reference ----------------------------------------------------------------------------


def custom_history(record: dict[str, Any]) -> tuple[Record, list[Event]]:
    """The reference's view of one custom record: fields, timeline entries (a repeated one once), notes that carry a stamp."""
    external_id = record["external_id"]
    about = Record(
        external_id,
        kind=record.get("kind", "incident"),
        severity=record.get("severity", "SEV3"),
        service=record.get("service"),
        team=record.get("team"),
        duplicate_of=record.get("duplicate_of"),
        resolution_kind=record.get("resolution_kind"),
        over={"done": "resolved", "closed": "closed"}.get(record.get("status", "").lower()),
        is_dated="updated_at" in record,
    )
    events = [
        Event(external_id, f"field/{name}", name, _era(record[f"{name}_at"]), "field")
        for name in STAMPS
        if record.get(f"{name}_at")
    ]
    for entry in {json.dumps(entry): entry for entry in record.get("timeline", ())}.values():
        identity, at = json.dumps(entry), _era(entry["at"])
        events.append(Event(external_id, identity, entry["event_type"], at))
        events += [
            Event(external_id, f"{identity}/{name}", name, at, "derived")
            for name in _marked(entry.get("notes"))
            if name != entry["event_type"]
        ]
    return about, events


def pagerduty_history(
    incident: dict[str, Any], entries: Iterable[dict[str, Any]], names: dict[str, str]
) -> tuple[Record, list[Event]]:
    """The reference's view of one PagerDuty incident and its log entries. `names`: priority -> severity."""
    external_id = incident["id"]
    reason = incident.get("resolve_reason") or {}
    priority = (incident.get("priority") or {}).get("name")
    about = Record(
        external_id,
        "pagerduty",
        severity=names.get(priority) or ("SEV1" if incident["urgency"] == "high" else "SEV3"),
        service=incident["service"]["summary"],
        duplicate_of=reason["incident"]["id"] if reason.get("type") == "merge_resolve_reason" else None,
        dedup_key=incident.get("incident_key"),
        over="resolved" if incident["status"] == "resolved" else None,
    )
    events = [Event(external_id, "created", "detected", _era(incident["created_at"]))]
    told = [(entry, _era(entry["created_at"]), entry["type"].removesuffix("_log_entry")) for entry in entries]
    resolves = [at for _, at, kind in told if kind == "resolve" and at is not None]
    # what happens after the end that the incident itself states reopens nothing
    stated = [*resolves, *([_era(incident["resolved_at"])] if incident["resolved_at"] else [])]
    settled = max(stated) if incident["status"] == "resolved" and stated else math.inf
    types = {"acknowledge": "acknowledged", "resolve": "resolved", "reopen": "reopened", "annotate": "note"}
    for entry, at, kind in told:
        agent = entry["agent"]["type"].removesuffix("_reference")
        actor = "timeout" if entry["channel"]["type"] == "timeout" else "human" if agent == "user" else "integration"
        channel = entry["channel"]
        events.append(
            Event(
                external_id,
                entry["id"],
                "severity_changed" if kind == "priority_change" else types.get(kind, "other"),
                at,
                actor_kind=actor,
                severity_from=names.get((channel.get("old_priority") or {}).get("name")),
                severity_to=names.get((channel.get("new_priority") or {}).get("name")),
            )
        )
        if kind == "annotate":
            marks = _marked(channel.get("summary"))
            events += [Event(external_id, f"{entry['id']}/{name}", name, at, "derived", actor) for name in marks]
        if (
            kind in ("acknowledge", "unacknowledge", "trigger")
            and resolves
            and at is not None
            and min(resolves) < at <= settled
        ):
            events.append(Event(external_id, f"{entry['id']}/reopened", "reopened", at, "derived", actor))
    if incident["status"] == "resolved" and not resolves and incident["resolved_at"]:
        events.append(Event(external_id, "resolved", "resolved", _era(incident["resolved_at"])))
    return about, events


def _marked(note: str | None) -> list[str]:
    """The stamps that a responder's note carries."""
    marks = {"root_cause_found": "root cause found:", "mitigated": "mitigated:"}
    return [name for name, mark in marks.items() if (note or "").lstrip().lower().startswith(mark)]


def _era(text: str) -> int | None:
    """Microseconds of an instant, None beyond the years that Python knows: such stamps are set aside anyway."""
    return microseconds(text) if text[4] == "-" else None


# --- comparisons ------------------------------------------------------------------------------------------------------

_INCIDENTS = """
SELECT i.*, {stamps}, epoch_us(i.first_resolved_at) AS first_resolved_us, epoch_us(i.started_at) AS started_us,
    round(i.active_minutes * 6e7)::BIGINT AS active_us
FROM mart.incidents AS i
""".format(stamps=", ".join(f"epoch_us(i.{name}_at) AS {name}_us" for name in STAMPS))


def built_incidents(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    """incident_id -> what the SQL made of it, in the reference's words."""
    return {row["incident_id"]: _told(row) for row in rows(warehouse.con, _INCIDENTS)}


def _told(row: dict[str, Any]) -> dict[str, Any]:
    same = (
        "external_id",
        "episode",
        "recurrence_of",
        "duplicate_of",
        "kind",
        "severity",
        "severity_first",
        "severity_max",
    )
    counted = ("status", "reopen_count", "flap_count", "ack_count", "active_us", "resolution_kind", "auto_resolved")
    return {name: row[name] for name in same + counted} | {
        "at": {name: row[f"{name}_us"] for name in STAMPS if row[f"{name}_us"] is not None},
        "provenance": {name: row[f"{name}_provenance"] for name in STAMPS if row[f"{name}_provenance"] is not None},
        "first_resolved": row["first_resolved_us"],
        "started": row["started_us"],
        "service": row["service"],
        "team": row["team"],
    }


def expected_incident(incident: Incident) -> dict[str, Any]:
    """The same of the reference's incident."""
    record = incident.record
    return {
        "external_id": record.external_id,
        "episode": incident.episode,
        "recurrence_of": incident.recurrence_of,
        "duplicate_of": incident.duplicate_of,
        "kind": record.kind,
        "severity": record.severity,
        "severity_first": incident.severity_first,
        "severity_max": incident.severity_max,
        "status": incident.status,
        "reopen_count": incident.reopen_count,
        "flap_count": incident.flap_count,
        "ack_count": incident.ack_count,
        "active_us": incident.active_us,
        "resolution_kind": incident.resolution_kind,
        "auto_resolved": incident.auto_resolved,
        "at": incident.at,
        "provenance": incident.provenance,
        "first_resolved": incident.first_resolved,
        "started": incident.started,
        "service": record.service,
        "team": record.team,
    }


def close(found: Any, expected: Any) -> bool:
    """Integers and texts the same, floats to 1e-9 of their size (and never closer than a billionth of a minute)."""
    if isinstance(expected, float) and isinstance(found, float):
        return found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    return bool(found == expected) and isinstance(found, bool) == isinstance(expected, bool)


def assert_figures(found: dict[str, Any], expected: dict[str, Any], about: object = None) -> None:
    """Every expected figure is there and the same."""
    wrong = {name: (found[name], value) for name, value in expected.items() if not close(found[name], value)}
    assert wrong == {}, f"found, expected: {wrong} of {about}"


def landed_rows(landing: Landing, manifest: Manifest, stream: str) -> list[Any]:
    """The records of one stream of an extract, in the order in which they were landed."""
    found: list[Any] = []
    for file in manifest.files:
        if file.stream == stream:
            raw = (landing.folder(manifest) / file.file).read_bytes()
            plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read()
            found += [msgspec.json.decode(line) for line in plain.splitlines()]
    return found
