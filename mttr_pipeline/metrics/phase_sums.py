"""Exact sums over the phases of incidents, by the smallest groups that all scopes and windows are made of.

The incidents are put in the order of these groups once; every sum is then one pass over a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import duckdb
import numpy as np

from mttr_pipeline.metrics.observed import (
    Columns,
    Flags,
    Integers,
    group_order,
    in_parallel,
    joined,
    picked,
    read,
    variants,
)

PHASES = ("detection", "acknowledgment", "investigation", "mitigation", "resolution", "closure")
#: What stands for a calculation_type where all matched incidents count but the outliers of basic.
MATCHED = "all matched"

_KEYS = ("severity_id", "service_id", "team_id", "is_current")
_SUMS = (
    *("n", "total_us", "n_at_warning", "n_at_critical", "avoidable_us", "paged_n", "paged_us"),
    *("analysed_n", "variant_us"),
)
_NEVER = 2**62  # microseconds: the level of a phase that has none


@dataclass(frozen=True)
class _Level:
    """The levels of a member in microseconds, by phase: of all groups (member 0), or of those with this severity or service."""

    member: int
    warning: dict[str, int]
    critical: dict[str, int]


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per set of incidents, member with levels, group and phase; sums are in microseconds.

    The sets are the analysed incidents of each variant, and `MATCHED`. A group are the incidents of one severity, service and team,
    in the current window or not; `level_id` is the member whose levels count. In a variant only the phases inside it count, and an
    incident whose phases together take longer than the variant counts in none. A sum of one group has 64 bits: 290,000 years.
    """
    durations = ", ".join(f"coalesce(greatest({phase}_us, -1), -1) AS {phase}" for phase in PHASES)
    rows = read(
        con,
        f"""SELECT d.incident_no, d.severity_id, d.service_id, d.team_id, d.is_paged, {durations},
            d.started_us >= epoch_us(w.window_start) AND d.started_us < epoch_us(w.window_end) AS is_current
        FROM figures.phases AS d
        JOIN core.windows AS w ON w.name = 'current'""",
    )
    texts, numbers = ("calculation_type", "phase"), ("level_id", *_KEYS, *_SUMS)
    nothing: Columns = {name: np.zeros(0, object) for name in texts} | {name: np.zeros(0, np.int64) for name in numbers}
    if not len(rows["incident_no"]):
        return nothing
    rows, starts = _by_group(rows)
    return joined([nothing, *in_parallel(_tasks(con, rows, starts))])


def _by_group(rows: Columns) -> tuple[Columns, Integers]:
    """The rows in the order of their groups, and where each group begins."""
    key = np.zeros(len(rows["incident_no"]), np.int64)
    for name in _KEYS:
        member = rows[name].astype(np.int64) - int(rows[name].min())
        key = key * (member.max() + 1) + member
    order = group_order(key)
    return picked(rows, order), np.flatnonzero(np.diff(key[order], prepend=-1))


def _tasks(con: duckdb.DuckDBPyConnection, rows: Columns, starts: Integers) -> Iterator[partial[Columns]]:
    """What sums up each set."""
    place = np.zeros(int(rows["incident_no"].max()) + 1, np.int64)
    place[rows["incident_no"]] = np.arange(len(rows["incident_no"]))
    summed = partial(_summed, rows, starts, _levels(con))
    counted = np.ones(len(rows["incident_no"]), bool)
    counted[place[_population(con, "basic", "outlier")["incident_no"]]] = False
    yield partial(summed, MATCHED, PHASES, counted, None)
    inside = _inside(con)
    for variant in variants(con):
        analysed = _population(con, variant, "analysed")
        observed_us = np.full(len(rows["incident_no"]), -1)
        observed_us[place[analysed["incident_no"]]] = analysed["observed_us"]
        yield partial(summed, variant, inside.get(variant, ()), observed_us >= 0, observed_us)


def _levels(con: duckdb.DuckDBPyConnection) -> list[_Level]:
    cursor = con.execute("SELECT * FROM figures.phase_levels ORDER BY member_id")
    names = [column[0] for column in cursor.description or []]
    found = []
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        warning, critical = (
            {phase: row[f"{phase}_{kind}"] for phase in PHASES if row.get(f"{phase}_{kind}") is not None}
            for kind in ("warning", "critical")
        )
        found.append(_Level(row["member_id"], warning, critical))
    return found


def _inside(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """The phases of the model in force that lie inside each variant."""
    found = con.execute(
        """SELECT v.calculation_type, list(k.phase) FROM config.variants AS v
        JOIN config.phases AS k ON k.start_place >= v.start_place AND k.end_place <= v.end_place
        JOIN core.phase_model AS m ON m.phase_model = k.phase_model
        GROUP BY v.calculation_type"""
    ).fetchall()
    return {variant: tuple(phases) for variant, phases in found}


def _population(con: duckdb.DuckDBPyConnection, variant: str, population: str) -> Columns:
    return read(
        con,
        "SELECT incident_no, observed_us FROM facts.population WHERE calculation_type = ? AND population = ?",
        [variant, population],
    )


def _summed(
    rows: Columns,
    starts: Integers,
    levels: list[_Level],
    name: str,
    inside: tuple[str, ...],
    counted: Flags,
    observed_us: Integers | None,
) -> Columns:
    """The sums of one set: of the counted rows, each of which takes `observed_us` where the set is a variant."""
    groups = picked({key: rows[key] for key in _KEYS}, starts)
    groups |= {"analysed_n": _added(counted, starts), "variant_us": np.zeros(len(starts), np.int64)}
    if observed_us is not None:
        groups["variant_us"] = _added(np.where(counted, observed_us, 0), starts)
        counted = counted & (sum(np.maximum(rows[phase], 0) for phase in inside) <= observed_us)
    parts = []
    for phase in PHASES:
        us = np.where(counted, rows[phase], -1) if phase in inside else np.full(len(counted), -1)
        paged_us = np.where(rows["is_paged"], us, -1) if phase == "acknowledgment" else np.full(len(us), -1)
        sums = {"n": _added(us >= 0, starts), "total_us": _added(np.maximum(us, 0), starts)}
        sums |= {"paged_n": _added(paged_us >= 0, starts), "paged_us": _added(np.maximum(paged_us, 0), starts)}
        parts += [_compared(us, starts, groups | sums, level, phase) for level in levels]
    found = joined(parts)
    return {"calculation_type": np.full(len(found["n"]), name, object), **found}


def _compared(us: Integers, starts: Integers, groups: Columns, level: _Level, phase: str) -> Columns:
    """The groups for which the levels of one member count, with what reaches these levels. Groups without incidents are left out."""
    chosen = groups["analysed_n"] > 0
    if level.member:
        chosen &= (groups["severity_id"] == level.member) | (groups["service_id"] == level.member)
    if not chosen.all():
        size = np.diff(starts, append=len(us))
        us, starts = us[np.repeat(chosen, size)], np.cumsum(size[chosen]) - size[chosen]
        groups = picked(groups, chosen)
    warning, critical = level.warning.get(phase, _NEVER), level.critical.get(phase, _NEVER)
    return {
        "phase": np.full(len(starts), phase, object),
        "level_id": np.full(len(starts), level.member),
        **groups,
        "n_at_warning": _added(us >= warning, starts),
        "n_at_critical": _added(us >= critical, starts),
        "avoidable_us": _added(np.maximum(us - warning, 0), starts),
    }


def _added(values: Integers | Flags, starts: Integers) -> Integers:
    """The sum of each group."""
    found: Integers = np.add.reduceat(values, starts, dtype=np.int64)
    return found
