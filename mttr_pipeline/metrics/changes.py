"""The current window against the previous one: how much recovery times changed, and whether that is more than chance."""

from __future__ import annotations

import duckdb
import numpy as np

from mttr_pipeline.metrics.inference import benjamini_hochberg, hodges_lehmann, log_rank, smallest_detectable_ratio
from mttr_pipeline.metrics.observed import (
    TICK_US,
    Columns,
    Flags,
    Floats,
    Integers,
    by_scope,
    edges_of,
    joined,
    observations,
    picked,
    variants,
)
from mttr_pipeline.metrics.survival import HORIZON_US, Curves, Z, curves

ENOUGH = 6  # observations a side, before anything is said


def published(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per variant and scope member with an observation in either window; the whole is always there."""
    windows = con.execute(
        """SELECT epoch_us(p.window_start), epoch_us(c.window_start), epoch_us(c.window_end)
        FROM core.windows AS c, core.windows AS p WHERE c.name = 'current' AND p.name = 'previous'"""
    ).fetchone()
    assert windows is not None
    begins, turns, ends = windows
    parts: list[Columns] = []
    for variant in variants(con):
        rows = observations(con, variant, begins)
        rows = picked(rows, rows["started_us"] < ends)
        for groups in by_scope(rows):
            time_us, is_event, started_us = (
                rows[name][groups.order] for name in ("observed_us", "is_event", "started_us")
            )
            found = compare(groups.bounds, time_us, is_event, started_us >= turns)
            parts.append(
                {
                    "calculation_type": np.full(len(groups.member), variant, dtype=object),
                    "member_id": groups.member,
                    **found,
                }
            )
    return joined(parts)


def compare(bounds: Integers, time_us: Integers, is_event: Flags, is_current: Flags) -> Columns:
    """Every group's current rows against its others. The groups are one family of tests."""
    now, before = (_side(bounds, time_us, is_event, side) for side in (is_current, ~is_current))
    p, excess = log_rank(bounds, time_us, is_event, is_current)
    enough = (now.n >= ENOUGH) & (before.n >= ENOUGH)
    censored = (now.events < now.n) | (before.events < before.n)
    both = (now.n > 0) & (before.n > 0) & (now.events + before.events > 0)
    # Beyond the last observation of a side whose curve has not come down, a mean would rest on a guess: both stop there.
    horizon = np.minimum(np.minimum(_reach(now), _reach(before)), HORIZON_US)
    ratio, low, high = _mean_ratio(
        *(_side(bounds, time_us, is_event, side, horizon) for side in (is_current, ~is_current))
    )
    logs = np.log(np.maximum(time_us, TICK_US))
    for values in (ratio, low, high):
        values[~both] = np.nan
    for place in np.flatnonzero(both & ~censored):
        rows = slice(bounds[place], bounds[place + 1])
        side = is_current[rows]
        ratio[place], low[place], high[place] = np.exp(hodges_lehmann(logs[rows][side], logs[rows][~side]))
    return {
        "n": now.n,
        "n_events": now.events,
        "previous_n": before.n,
        "previous_n_events": before.events,
        "is_censored": censored,
        "horizon_minutes": np.where(both & censored, horizon, np.nan) / 6e7,
        "km_median": now.quantile_us[0.5] / 6e7,
        "previous_km_median": before.quantile_us[0.5] / 6e7,
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
        "log_rank_p": p,
        "excess": excess,
        "q": benjamini_hochberg(np.where(enough, p, np.nan)),
        "smallest_detectable_ratio": smallest_detectable_ratio(
            now.events.astype(np.float64), before.events.astype(np.float64)
        ),
        "is_enough": enough & ~np.isnan(p),
    }


def _side(
    bounds: Integers, time_us: Integers, is_event: Flags, side: Flags, horizon_us: Floats | float = float(HORIZON_US)
) -> Curves:
    return curves(edges_of(side.astype(np.int64))[bounds], time_us[side], is_event[side], horizon_us)


def _reach(side: Curves) -> Floats:
    """How far a side's curve is known."""
    return np.where(side.carried_on, side.longest_us, np.inf)


def _mean_ratio(now: Curves, before: Curves) -> tuple[Floats, Floats, Floats]:
    """Ratio of the restricted means, with limits by the delta method on its logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = now.mean_us / before.mean_us
        width = Z * np.sqrt(now.mean_variance / now.mean_us**2 + before.mean_variance / before.mean_us**2)
        ratio = np.where(np.isfinite(ratio), ratio, np.nan)
        return ratio, ratio * np.exp(-width), ratio * np.exp(width)
