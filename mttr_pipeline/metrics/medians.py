"""Medians of the phases: each phase is sorted once, for all scopes, windows and variants."""

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
    read,
    variants,
    windows,
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


def published(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per variant, window and scope member. Microseconds; NaN without a valid duration."""
    durations = ", ".join(f"coalesce(greatest({phase}, -1), -1) AS {phase}" for phase in PHASES)
    rows = read(
        con, f"SELECT incident_no, severity_id, service_id, team_id, started_us, {durations} FROM figures.phases"
    )
    left_out = {variant: _outliers(con, variant, rows["incident_no"]) for variant in variants(con)}
    within = dict(windows(con, rows["started_us"]))
    members = int(read(con, "SELECT max(member_id) + 1 AS n FROM core.scope_members")["n"][0])
    found = in_parallel(partial(_of_phase, rows, within, left_out, members, phase) for phase in PHASES)
    keys = [
        {
            "calculation_type": np.full(members, variant, dtype=object),
            "window_name": np.full(members, window, dtype=object),
            "member_id": np.arange(members),
        }
        for window in within
        for variant in left_out
    ]
    return {**joined(keys), **dict(zip(PHASES, found, strict=True))}


def _outliers(con: duckdb.DuckDBPyConnection, variant: str, incident_no: Integers) -> Flags:
    """Which rows the variant leaves out."""
    found = read(
        con,
        "SELECT incident_no FROM facts.population WHERE population = 'outlier' AND calculation_type = ?",
        [variant],
    )
    return np.isin(incident_no, found["incident_no"])


def _of_phase(
    rows: Columns, within: dict[str, Flags | None], left_out: dict[str, Flags], members: int, phase: str
) -> Floats:
    """Medians of one phase by window, variant and member, one after another."""
    valid = np.flatnonzero(rows[phase] >= 0)
    by_duration = valid[np.argsort(rows[phase][valid])]
    found = np.full((len(within), len(left_out), members), np.nan)
    for window, inside in enumerate(within.values()):
        ordered = by_duration if inside is None else by_duration[inside[by_duration]]
        for scope in SCOPES:
            member = rows[scope][ordered] if scope else np.zeros(len(ordered), dtype=np.uint16)
            grouped = ordered[group_order(member)]
            n = np.bincount(member, minlength=members)
            for variant, outlier in enumerate(left_out.values()):
                gone = np.flatnonzero(outlier[grouped])
                kept = n - np.bincount(rows[scope][grouped[gone]] if scope else member[gone], minlength=members)
                has = np.flatnonzero(kept)
                first = (np.cumsum(kept) - kept)[has]
                low, high = (
                    rows[phase][grouped[_place(first + half, gone)]] for half in ((kept[has] - 1) // 2, kept[has] // 2)
                )
                found[window, variant, has] = (low + high) / 2
    return found.ravel()


def _place(kept: Integers, gone: Integers) -> Integers:
    """Where the rows with these numbers stand, counted without those that are gone (in ascending order)."""
    return kept + np.searchsorted(gone - np.arange(len(gone)), kept, side="right")
