"""Issues of error trackers put straight into the tables that all sources yield, beside records of incidents and deploys.

How vendors' records become rows of these tables is tested with the sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import delivery_cases
import polars as pl
from correlation_cases import Link, Rec, build, fill
from delivery_cases import Dep
from support import AS_OF, AS_OF_US, copy_database, empty, settings_for

from mttr_pipeline.config.decisions import Decision, Decisions
from mttr_pipeline.warehouse.database import Warehouse

#: Made before correlation, and after it.
BEFORE = (
    *("core.names", "core.deploy_records", "core.deploy_groups", "core.deploys", "core.releases"),
    *("core.errors", "core.error_episodes", "core.error_activity", "core.error_mentions", "core.error_records"),
)
AFTER = (
    *("core.error_incidents", "core.incident_errors", "core.error_fixes", "figures.release_sessions"),
    *("mart.error_issues", "mart.error_episodes", "mart.incident_errors", "mart.release_health", "mart.error_coverage"),
)


@dataclass(frozen=True)
class Issue:
    """A row of `staging.error_issues`; instants are microseconds."""

    external_id: str
    source: str = "sentry"
    key: str | None = None
    title: str | None = None
    url: str | None = None
    level: str | None = "error"
    priority: str | None = None
    status: str | None = "unresolved"
    substatus: str | None = None
    service: str | None = "Checkout"
    team: str | None = None
    environment: str | None = None
    events: int | None = None
    users: int | None = None
    is_unhandled: bool | None = None
    first_seen_at: int | None = None
    last_seen_at: int | None = None
    first_release: str | None = None
    last_release: str | None = None
    resolved_in_release: str | None = None
    assigned: str | None = None
    suspect_commits: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    updated_at: int | None = AS_OF_US


@dataclass(frozen=True)
class Told:
    """A row of `staging.error_events`."""

    external_id: str
    event_type: str
    happened_at: int
    not_before: int | None = None
    release: str | None = None
    actor_kind: str | None = None
    notes: str | None = None
    provenance: str = "api"
    source: str = "sentry"
    event_id: str | None = None
    actor: str | None = None


@dataclass(frozen=True)
class Count:
    """A row of `staging.error_counts`."""

    external_id: str
    began_at: int
    events: int
    minutes: int = 60
    release: str | None = None
    read_at: int = AS_OF_US
    source: str = "sentry"


@dataclass(frozen=True)
class Sessions:
    """A row of `staging.release_sessions`."""

    version: str
    sessions: int
    crashed: int
    service: str | None = "Checkout"
    environment: str | None = None
    began_at: int | None = None
    read_at: int = AS_OF_US
    source: str = "sentry"


@dataclass(frozen=True)
class World:
    """Everything that error tracking is made of."""

    issues: Sequence[Issue] = ()
    told: Sequence[Told] = ()
    counts: Sequence[Count] = ()
    sessions: Sequence[Sessions] = ()
    deploys: Sequence[Dep] = ()
    records: Sequence[Rec] = ()
    links: Sequence[Link] = ()
    decisions: Sequence[Decision] = ()


@contextmanager
def tracked(folder: Path, world: World, file: dict[str, Any] | None = None) -> Iterator[Warehouse]:
    """A warehouse with the tables of error tracking and delivery of this world. Every promise was checked."""
    copy_database(empty(), folder)
    settings = replace(settings_for(folder, file or {}), decisions=Decisions(tuple(world.decisions)))
    warehouse = Warehouse(folder / "work.duckdb", settings, AS_OF, "run")
    try:
        fill(warehouse, world.records, world.links)
        delivery_cases.give(warehouse, world.deploys)
        give(warehouse, world)
        warehouse.make_analyst_macros()
        build(warehouse, (*BEFORE, *delivery_cases.TABLES, "mart.links", *AFTER))
        yield warehouse
    finally:
        warehouse.close()


def give(warehouse: Warehouse, world: World) -> None:
    """Put the issues, their histories and counts, and sessions in the place of those that sources yield."""
    _put(warehouse, "error_issues", Issue, world.issues)
    _put(warehouse, "error_events", Told, world.told)
    _put(warehouse, "error_counts", Count, world.counts)
    _put(warehouse, "release_sessions", Sessions, world.sessions)


def _put(warehouse: Warehouse, table: str, shape: type, rows: Sequence[Any]) -> None:
    kinds: dict[str, Any] = {"int": pl.Int64, "bool": pl.Boolean, "tuple": pl.List(pl.String)}
    # Annotations are texts here: `int | None`.
    schema = {
        each.name: next((kind for name, kind in kinds.items() if str(each.type).startswith(name)), pl.String)
        for each in fields(shape)
    }
    columns = {name: [getattr(row, name) for row in rows] for name in schema}
    columns |= {
        name: [None if value is None else list(value) for value in columns[name]]
        for name, kind in schema.items()
        if kind == pl.List(pl.String)
    }
    stamps = [name for name in schema if name.endswith("_at") or name == "not_before"]
    made = ", ".join(f"make_timestamp({name}) AS {name}" for name in stamps)
    warehouse.con.register("drawn", pl.DataFrame(columns, schema=schema).to_arrow())
    warehouse.con.execute(
        f"CREATE OR REPLACE TABLE main.given_{table} AS SELECT * REPLACE ({made}), 'file' AS landed_in FROM drawn"
    )
    warehouse.con.unregister("drawn")
    warehouse.con.execute(f"CREATE OR REPLACE VIEW staging.{table} AS FROM main.given_{table}")
