"""Deploys put straight into the table that all sources yield, beside records of incidents, and a plain reference of what they say.

The reference is written from the definitions (METRICS, Deploys), with lists and loops, and shares nothing with the product. How
vendors' records become rows of `staging.deploys` is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl
from correlation_cases import Rec, build, fill
from support import AS_OF, copy_database, empty, settings_for

from mttr_pipeline.warehouse.database import Warehouse

TABLES = (
    *("core.names", "core.links", "core.groups", "core.members", "core.evidence", "core.golden", "core.incidents"),
    *("core.incident_sources", "core.deploy_records", "core.deploy_groups", "core.deploys", "core.incident_deploys"),
    *("core.reworks", "core.delivery_members", "facts.deployed", "figures.deploy_observations"),
    *("figures.deploy_recoveries", "core.owners", "mart.services", "mart.delivery", "mart.deploys", "mart.incident_deploys"),
    "mart.deploy_records",
)


@dataclass(frozen=True)
class Dep:
    """A row of `staging.deploys`; instants are microseconds."""

    source: str
    external_id: str
    service: str | None = "Checkout"
    environment: str | None = "production"
    sha: str | None = None
    version: str | None = None
    status: str | None = "success"
    finished_at: int | None = None
    finished_precision: str = "exact"
    started_at: int | None = None
    requested_at: int | None = None
    first_commit_at: int | None = None
    title: str | None = None
    texts: tuple[str, ...] = ()
    rollback_of: str | None = None
    says_rollback: bool | None = None
    caused: tuple[str, ...] = ()
    url: str | None = None
    is_shared: bool | None = None
    updated_at: int | None = None


@contextmanager
def delivered(
    folder: Path, recs: Sequence[Rec], deps: Sequence[Dep], file: dict[str, Any] | None = None
) -> Iterator[Warehouse]:
    """A warehouse with the delivery tables of these records and deploys. Every promise was checked."""
    copy_database(empty(), folder)
    warehouse = Warehouse(folder / "work.duckdb", settings_for(folder, file or {}), AS_OF, "run")
    try:
        fill(warehouse, recs, ())
        give(warehouse, deps)
        warehouse.make_analyst_macros()
        build(warehouse, TABLES)
        yield warehouse
    finally:
        warehouse.close()


def give(warehouse: Warehouse, deps: Sequence[Dep]) -> None:
    """Put the deploys in the place of those that sources yield."""
    instants = [each.name for each in fields(Dep) if each.name.endswith("_at")]
    lists, flags = ("texts", "caused"), ("says_rollback", "is_shared")
    schema: dict[str, Any] = {each.name: pl.String for each in fields(Dep)}
    schema |= dict.fromkeys(instants, pl.Int64) | dict.fromkeys(lists, pl.List(pl.String)) | dict.fromkeys(flags, pl.Boolean)
    columns = {name: [getattr(dep, name) for dep in deps] for name in schema}
    columns |= {name: [list(values) for values in columns[name]] for name in lists}
    warehouse.con.register("drawn", pl.DataFrame(columns, schema=schema).to_arrow())
    stamps = ", ".join(f"make_timestamp({name}) AS {name}" for name in instants)
    warehouse.con.execute(
        f"""CREATE OR REPLACE TABLE main.given_deploys AS
        SELECT * REPLACE ({stamps}), NULL::VARCHAR AS vendor_status, 'file' AS landed_in FROM drawn"""
    )
    warehouse.con.unregister("drawn")
    warehouse.con.execute("DROP VIEW IF EXISTS staging.deploys; DROP TABLE IF EXISTS staging.deploys")
    warehouse.con.execute("CREATE VIEW staging.deploys AS FROM main.given_deploys")
