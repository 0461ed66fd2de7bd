"""Drawn incidents as the table that every figure is made of, and the marts built from them.

The models after `mart.incidents` are pure SQL over it and over the configuration, so tests of figures fill that table
themselves: many incidents, one build. How records become incidents is tested elsewhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st
from reference_targets import DAY, DETECTED, MINUTE, STAMPS, Incident, microseconds
from sharing import made_once
from support import copy_database, discard, settings_for

from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.models import Model

AS_OF = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
AS_OF_US = microseconds(AS_OF)
BASE, STORED = "core.incidents", "mart.incidents"


@contextmanager
def built(
    tables: Sequence[str], incidents: Sequence[Incident], file: dict[str, Any] | None = None, as_of: datetime = AS_OF
) -> Iterator[Warehouse]:
    """A warehouse with these incidents and with the tables, all that they need included. Every promise was checked."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_database(_empty(), folder)
        settings = settings_for(folder, file or {})
        warehouse = Warehouse(folder / "work.duckdb", settings, as_of, "run")
        try:
            fill(warehouse, incidents)
            warehouse.make_analyst_macros()
            for model in needed(tables):
                warehouse.build(model)
                assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
            yield warehouse
        finally:
            discard(warehouse)


def fill(warehouse: Warehouse, incidents: Sequence[Incident]) -> None:
    """Put these incidents in the place of those in `mart.incidents`."""
    rows = {
        "incident_id": [incident.id for incident in incidents],
        "severity": [incident.severity for incident in incidents],
        "service": [incident.service for incident in incidents],
        "team": [incident.team for incident in incidents],
        "source": [incident.source for incident in incidents],
        "auto_resolved": [incident.auto_resolved for incident in incidents],
        "is_before_history": [incident.is_before_history for incident in incidents],
        "started": [incident.started for incident in incidents],
        "updated": [incident.updated for incident in incidents],
        **{name: [incident.stamps[place] for incident in incidents] for place, name in enumerate(STAMPS)},
    }
    text, number = dict.fromkeys(("incident_id", "severity", "service", "team", "source"), pl.String), pl.Int64
    frame = pl.DataFrame(
        rows,
        schema=text
        | dict.fromkeys(("auto_resolved", "is_before_history"), pl.Boolean)
        | dict.fromkeys(("started", "updated", *STAMPS), number),
    )
    stamps = ", ".join(f"make_timestamptz({name}) AS {name}_at" for name in STAMPS)
    last = "greatest(started, updated, acknowledged, investigating, root_cause_found, mitigated)"
    silent = "(SELECT epoch_us(as_of) - abandoned_us FROM config.run)"
    warehouse.con.execute(f"DELETE FROM {STORED}")
    warehouse.con.register("drawn", frame.to_arrow())
    warehouse.con.execute(
        f"""INSERT INTO {STORED} BY NAME
        SELECT incident_id, incident_id AS external_id, source, severity, service, team, auto_resolved, is_before_history,
            1 AS episode, 0 AS reopen_count, 'incident' AS kind, 'field' AS severity_source, 'detected' AS status,
            'title of ' || incident_id AS title, make_timestamptz(started) AS started_at,
            make_timestamptz(updated) AS updated_at, {stamps}, true AS is_counted,
            CASE WHEN resolved >= detected THEN (resolved - detected) / 6e7 END AS resolve_minutes,
            make_timestamptz(started) AS last_event_at,
            resolved IS NULL AND closed IS NULL AND updated IS NOT NULL AND {last} <= {silent} AS is_abandoned
        FROM drawn"""
    )
    warehouse.con.unregister("drawn")


def needed(tables: Sequence[str]) -> list[Model]:
    """The tables and everything they are made of that is made of incidents, in order of building."""
    models = {model.table: model for model in default_catalog()}
    wanted, waiting = set(), list(tables)
    while waiting:
        table = waiting.pop()
        if table not in wanted and table not in upstream():
            wanted.add(table)
            waiting.extend(models[table].depends)
    return [model for model in default_catalog() if model.table in wanted]


def rows(warehouse: Warehouse, query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """The rows as dictionaries; instants are microseconds."""
    cursor = warehouse.con.execute(query, list(values))
    names = [column[0] for column in cursor.description or []]
    return [
        {
            name: microseconds(value) if isinstance(value, datetime) else value
            for name, value in zip(names, row, strict=True)
        }
        for row in cursor.fetchall()
    ]


def same(found: dict[str, Any], expected: dict[str, Any], where: object) -> None:
    """Every expected value is there: texts, flags and integers exactly, floats to 1e-9 relative."""
    for name, value in expected.items():
        got = found[name]
        if isinstance(value, float) and got is not None:
            assert abs(got - value) <= 1e-9 * max(abs(got), abs(value)), (where, name, got, value)
        else:
            assert got == value and type(got) is type(value), (where, name, got, value)


@cache
def upstream() -> frozenset[str]:
    """`mart.incidents` and everything before it, and what is read from vendors' own lists."""
    models = {model.table: model for model in default_catalog()}
    found, waiting = set(), [BASE, "core.vendor_records"]
    while waiting:
        table = waiting.pop()
        if table not in found:
            found.add(table)
            waiting.extend(models[table].depends)
    return frozenset(found | {model.table for model in default_catalog() if model.schema in ("raw", "staging")})


@cache
def _empty() -> Path:
    """The folder of a warehouse without any history, with the tables up to `mart.incidents` built: copied by every test."""
    return made_once("empty-up-to-incidents", _without_history)


def _without_history(folder: Path) -> None:
    warehouse = Warehouse(folder / "work.duckdb", settings_for(folder), AS_OF, "empty")
    try:
        for model in default_catalog():
            if model.table in upstream() and model.schema != "raw":
                warehouse.build(model)
    finally:
        warehouse.close()


# -- drawn incidents ---------------------------------------------------------------------------------------------------

# Durations on both sides of every default level and target, and of the outlier limit.
_EDGES = [0, 5, 10, 15, 24, 30, 60, 96, 120, 384, 480, 1152, 1440, 7 * 1440]
STEPS = st.one_of(
    st.sampled_from([minutes * MINUTE + off for minutes in _EDGES for off in (-1, 0, 1)]),
    st.integers(0, 90 * MINUTE),
    st.integers(0, 9 * DAY),
)


@st.composite
def incidents(draw: st.DrawFn, place: str = "", as_of: int = AS_OF_US, reach: int = 120 * DAY) -> Incident:
    """One incident that began at most `reach` before as_of: stamps missing, equal, decreasing, open."""
    at = as_of - draw(
        st.one_of(st.integers(0, reach), st.sampled_from([0, 1, 30 * DAY, 30 * DAY + 1, 90 * DAY, 90 * DAY + 1]))
    )
    stamps: list[int | None] = [None] * 8
    stamps[DETECTED] = at
    ends = draw(st.sampled_from([8, 8, 8, 7, 6, 5, 3, 2]))
    for step in range(2, ends):
        if draw(st.integers(0, 3)) == 0:
            continue
        at += draw(STEPS) * (-1 if draw(st.integers(0, 12)) == 0 else 1)
        stamps[step] = at
    if draw(st.integers(0, 2)):
        first = stamps[DETECTED]
        assert first is not None
        stamps[0] = first - draw(STEPS) * (-1 if draw(st.integers(0, 8)) == 0 else 1)
    if draw(st.integers(0, 20)) == 0 and any(at is not None for at in stamps[2:]):
        stamps[DETECTED] = None
    return Incident(
        id=f"{draw(st.uuids(version=4))}{place}",
        stamps=tuple(stamps),
        severity=draw(st.sampled_from(["SEV1", "SEV2", "SEV3", "SEV4"])),
        service=draw(st.sampled_from([None, f"service {place}", f"other {place}"])),
        team=draw(st.sampled_from([None, f"team {place}"])),
        auto_resolved=draw(st.booleans()),
    )


def sets_of(example: st.SearchStrategy[Any], count: int) -> list[Any]:
    """That many examples, the same in every run: a build takes a while, so it gets many of them at once."""
    from hypothesis import HealthCheck, Phase, given, settings

    found: list[Any] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(example)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def many(count: int = 60, size: int = 7) -> list[Incident]:
    """Incidents of many small groups: a service and a team of its own each."""
    groups = sets_of(st.lists(incidents(), max_size=size), count)
    found = []
    for number, group in enumerate(groups):
        for index, incident in enumerate(group):
            found.append(
                Incident(
                    f"{number}-{index}",
                    incident.stamps,
                    incident.severity,
                    None if incident.service is None else f"{incident.service}{number}",
                    None if incident.team is None else f"{incident.team}{number}",
                    auto_resolved=incident.auto_resolved,
                )
            )
    return found


def alone(*stamps: float | None, severity: str = "SEV3", service: str | None = "api", number: int = 0) -> Incident:
    """An incident whose stamps are given in minutes before as_of, in the order of its life."""
    filled = [None if at is None else AS_OF_US - round(at * MINUTE) for at in stamps]
    return Incident(
        f"one-{number}", tuple(filled + [None] * (8 - len(filled))), severity=severity, service=service, team="crew"
    )


OPEN = alone(None, 50)
INVALID = alone(None, 50, 60, None, 70, 80, 90, 100)
NOTHING_USEFUL = {"none": [], "only open": [OPEN], "only invalid": [INVALID]}


def window(days: int, as_of: int = AS_OF_US) -> tuple[int, int]:
    return as_of - days * DAY, as_of
