"""Deploys put straight into the table that all sources yield, beside records of incidents, and a plain reference of what they say.

The reference is written from the definitions (METRICS, Deploys), with lists and loops, and shares nothing with the product. How
vendors' records become rows of `staging.deploys` is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
from correlation_cases import Link, Rec, build, fill
from support import AS_OF, copy_database, empty, settings_for

from mttr_pipeline.config.decisions import Decision, Decisions
from mttr_pipeline.warehouse.database import Warehouse

TABLES = (
    *("core.names", "core.links", "core.groups", "core.members", "core.evidence", "core.golden", "core.incidents"),
    *(
        "core.incident_sources",
        "core.deploy_records",
        "core.deploy_groups",
        "core.deploys",
        "core.deploy_causes",
        "core.named_deploys",
        "core.incident_deploys",
    ),
    *("core.reworks", "core.delivery_members", "facts.deployed", "figures.deploy_observations"),
    *(
        "figures.deploy_recoveries",
        "core.owners",
        "mart.services",
        "mart.delivery",
        "mart.deploys",
        "mart.incident_deploys",
    ),
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
    folder: Path,
    recs: Sequence[Rec],
    deps: Sequence[Dep],
    file: dict[str, Any] | None = None,
    links: Sequence[Link] = (),
    decisions: Sequence[Decision] = (),
) -> Iterator[Warehouse]:
    """A warehouse with the delivery tables of these records and deploys. Every promise was checked."""
    copy_database(empty(), folder)
    settings = replace(settings_for(folder, file or {}), decisions=Decisions(tuple(decisions)))
    warehouse = Warehouse(folder / "work.duckdb", settings, AS_OF, "run")
    try:
        fill(warehouse, recs, links)
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
    schema |= (
        dict.fromkeys(instants, pl.Int64) | dict.fromkeys(lists, pl.List(pl.String)) | dict.fromkeys(flags, pl.Boolean)
    )
    columns = {name: [getattr(dep, name) for dep in deps] for name in schema}
    columns |= {name: [list(values) for values in columns[name]] for name in lists}
    warehouse.con.register("drawn", pl.DataFrame(columns, schema=schema).to_arrow())
    stamps = ", ".join(f"make_timestamp({name}) AS {name}" for name in instants)
    warehouse.con.execute(
        f"""CREATE OR REPLACE TABLE main.given_deploys AS
        SELECT * REPLACE ({stamps}), NULL::VARCHAR AS vendor_status, 'file' AS landed_in FROM drawn"""
    )
    warehouse.con.unregister("drawn")
    warehouse.con.execute("CREATE OR REPLACE VIEW staging.deploys AS FROM main.given_deploys")


# -- the reference -----------------------------------------------------------------------------------------------------

PRODUCTION = ("prod", "production", "live")
PRECISION = ("exact", "job", "commit", "interval")
TEN_MINUTES, HOUR, WEEK = 600_000_000, 3_600_000_000, 7 * 86_400_000_000


@dataclass
class Real:
    """A deploy, however many records tell of it; the most precise record first."""

    records: list[Dep]
    is_rollback: bool = False
    was_rolled_back: bool = False

    @property
    def best(self) -> Dep:
        return self.records[0]

    @property
    def name(self) -> tuple[str, str, str | None]:
        return self.best.source, self.best.external_id, self.best.service

    @property
    def ran(self) -> str | None:
        """What it brought out: the commit, else the version."""
        told = [commit(dep) for dep in self.records if commit(dep)] or [
            dep.version for dep in self.records if dep.version
        ]
        return told[0] if told else None

    @property
    def place(self) -> str | None:
        return place_of(self.best)

    @property
    def counts(self) -> bool:
        return (
            is_production(self.best)
            and self.best.status in ("success", "rolled_back")
            and self.best.finished_at is not None
        )

    @property
    def is_exact(self) -> bool:
        return self.best.finished_precision in ("exact", "job")


def is_production(dep: Dep) -> bool:
    return (dep.environment or "").lower() in PRODUCTION


def place_of(dep: Dep) -> str | None:
    return "production" if is_production(dep) else (dep.environment or "").lower() or None


def commit(dep: Dep) -> str | None:
    """The first seven digits of the commit."""
    return dep.sha[:7].lower() if dep.sha else None


def reals(deps: Sequence[Dep], as_of: int) -> list[Real]:
    """The deploys that these records tell of, as far as they have happened."""
    present: list[Dep] = []
    for dep in deps:
        asked = next((at for at in (dep.requested_at, dep.started_at, dep.finished_at) if at is not None), None)
        if asked is None or asked <= as_of:
            over = dep.finished_at is None or dep.finished_at <= as_of
            present.append(dep if over else replace(dep, finished_at=None, status=None))
    present.sort(key=lambda dep: (dep.source, dep.external_id, dep.service or ""))
    clusters = [[place] for place in range(len(present))]

    def same(a: Dep, b: Dep) -> bool:
        keys = [(dep.service, place_of(dep), commit(dep), dep.status, dep.finished_at) for dep in (a, b)]
        if any(None in key for key in keys) or a.source == b.source:
            return False
        return keys[0][:4] == keys[1][:4] and abs(a.finished_at - b.finished_at) <= TEN_MINUTES  # type: ignore[operator]

    pairs = [
        (abs(a.finished_at - b.finished_at), min(a.finished_at, b.finished_at), i, j)  # type: ignore[operator, type-var]
        for i, a in enumerate(present)
        for j, b in enumerate(present)
        if i < j and same(a, b)
    ]
    for _, _, i, j in sorted(pairs):
        one, other = (next(cluster for cluster in clusters if place in cluster) for place in (i, j))
        both = [present[place] for place in one + other]
        times = [dep.finished_at for dep in both if dep.finished_at is not None]
        if (
            one is not other
            and len({dep.source for dep in both}) == len(both)
            and max(times) - min(times) <= TEN_MINUTES
        ):
            clusters.remove(other)
            one += other
    found = [
        Real(
            sorted((present[p] for p in cluster), key=lambda dep: (PRECISION.index(dep.finished_precision), dep.source))
        )
        for cluster in clusters
    ]
    _mark_rollbacks(found)
    return found


def _mark_rollbacks(found: list[Real]) -> None:
    order = {id(real): min((dep.source, dep.external_id, dep.service or "") for dep in real.records) for real in found}
    for real in found:
        real.is_rollback = real.best.status == "success" and any(
            dep.says_rollback or dep.rollback_of for dep in real.records
        )
        real.was_rolled_back = real.best.status == "rolled_back"
    ran = [
        real
        for real in found
        if real.best.status in ("success", "rolled_back")
        and real.best.finished_at is not None
        and real.best.finished_precision != "commit"
        and real.best.service is not None
        and real.place is not None
    ]
    ran.sort(key=lambda real: (real.best.finished_at, order[id(real)]))
    for key in {(real.best.service, real.place) for real in ran}:
        here = [real for real in ran if (real.best.service, real.place) == key]
        first: dict[str, int] = {}
        for real in here:
            if real.ran is not None:
                first.setdefault(real.ran, real.best.finished_at or 0)
        for before, real in pairwise(here):
            goes_back = (
                real.ran is not None
                and before.ran is not None
                and real.ran != before.ran
                and first[real.ran] < first[before.ran]
            )
            if goes_back and real.best.status == "success":
                real.is_rollback = True
            says = any(dep.says_rollback for dep in real.records)
            if (goes_back or says) and not any(dep.rollback_of for dep in real.records):
                before.was_rolled_back = True
    for real in found:
        for dep in real.records:
            if dep.rollback_of and dep.status == "success":
                for target in found:
                    if any(
                        (t.source, t.external_id, t.service) == (dep.source, dep.rollback_of, dep.service)
                        for t in target.records
                    ):
                        target.was_rolled_back = True


def causes(
    found: Sequence[Real], recs: Sequence[Rec], minutes: float = 60
) -> set[tuple[str, tuple[str, str, str | None], str]]:
    """Id of the record, name of the deploy, method. Every record is an incident of its own."""
    links = set()
    for rec in recs:
        said = set()
        for real in found:
            for dep in real.records:
                for target in dep.caused:
                    fits = [r for r in recs if target in (r.id, r.key, r.url)]
                    own = [r for r in fits if r.source == dep.source] or fits
                    if own == [rec]:
                        said.add((rec.id, real.name, "explicit"))
        began = rec.at.get("occurred", rec.at.get("detected"))
        if not said and began is not None and rec.service is not None:
            near = [
                real
                for real in found
                if real.counts and real.best.status == "success" and real.is_exact and not real.is_rollback
                if real.best.service == rec.service
                and 0 <= began - (real.best.finished_at or 0) <= minutes * 60_000_000
            ]
            if near:
                latest = max(real.best.finished_at or 0 for real in near)
                tied = [real for real in near if real.best.finished_at == latest]
                said = {(rec.id, real.name, "window") for real in tied}  # of equal ones, any
        links |= said
    return links
