"""Medians of the phases. Each phase is sorted once for all scopes, windows and variants."""

from __future__ import annotations

from functools import partial

import duckdb
import numpy as np

from mttr_pipeline.metrics.observed import (
    SCOPES,
    Columns,
    Flags,
    Floats,
    Integers,
    group_order,
    in_parallel,
    joined,
    periods,
    read,
    variants,
)

PHASES = (
    "detection_us",
    "acknowledgment_us",
    "to_cause_us",
    "cause_to_mitigated_us",
    "to_mitigated_us",
    "mitigated_to_resolved_us",
    "closure_us",
)


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per variant, window of `core.windows` and scope member: the median of each phase in microseconds, NaN without data.

    The outliers of the variant and negative durations are left out. The median of an even number of durations is the mean of the
    middle two.
    """
    durations = ", ".join(f"coalesce(greatest({phase}, -1), -1) AS {phase}" for phase in PHASES)
    rows = read(
        con, f"SELECT incident_no, severity_id, service_id, team_id, started_us, {durations} FROM figures.phases"
    )
    outliers = {variant: _outliers(con, variant, rows["incident_no"]) for variant in variants(con)}
    inside: dict[int, Flags | None] = {}
    for windows in periods(con):
        number = windows.number_of(rows["started_us"])
        for place, window_id in enumerate(windows.ids):
            chosen = number == place
            inside[int(window_id)] = None if chosen.all() else chosen
    members = int(read(con, "SELECT max(member_id) + 1 AS n FROM core.scope_members")["n"][0])
    medians = in_parallel(partial(_of_phase, rows, inside, outliers, members, phase) for phase in PHASES)
    keys = [
        {
            "calculation_type": np.full(members, variant, dtype=object),
            "window_id": np.full(members, window_id),
            "member_id": np.arange(members),
        }
        for window_id in inside
        for variant in outliers
    ]
    return {**joined(keys), **dict(zip(PHASES, medians, strict=True))}


def _outliers(con: duckdb.DuckDBPyConnection, variant: str, incident_no: Integers) -> Flags:
    """Which rows are outliers of the variant."""
    found = read(
        con,
        "SELECT incident_no FROM facts.population WHERE population = 'outlier' AND calculation_type = ?",
        [variant],
    )
    return np.isin(incident_no, found["incident_no"])


def _of_phase(
    rows: Columns, inside: dict[int, Flags | None], outliers: dict[str, Flags], members: int, phase: str
) -> Floats:
    """The medians of one phase, by window, variant and member. `inside` says which rows lie in each window; None: all of them."""
    valid = np.flatnonzero(rows[phase] >= 0)
    by_duration = valid[np.argsort(rows[phase][valid])]
    found = np.full((len(inside), len(outliers), members), np.nan)
    for window, chosen in enumerate(inside.values()):
        ordered = by_duration if chosen is None else by_duration[chosen[by_duration]]
        for scope in SCOPES:
            member = rows[scope][ordered] if scope else np.zeros(len(ordered), dtype=np.uint16)
            grouped = ordered[group_order(member)]
            n = np.bincount(member, minlength=members)
            for variant, is_outlier in enumerate(outliers.values()):
                excluded = np.flatnonzero(is_outlier[grouped])
                kept = n - np.bincount(rows[scope][grouped[excluded]] if scope else member[excluded], minlength=members)
                has_data = np.flatnonzero(kept)
                first = (np.cumsum(kept) - kept)[has_data]
                low, high = (
                    rows[phase][grouped[_with_excluded(first + half, excluded)]]
                    for half in ((kept[has_data] - 1) // 2, kept[has_data] // 2)
                )
                found[window, variant, has_data] = (low + high) / 2
    return found.ravel()


def _with_excluded(kept: Integers, excluded: Integers) -> Integers:
    """The place among all rows of each place among the kept rows. `excluded` are the places of the others, in ascending order."""
    return kept + np.searchsorted(excluded - np.arange(len(excluded)), kept, side="right")
