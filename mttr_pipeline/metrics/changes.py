"""The current period against the previous one: how much recovery times changed, and whether that is more than chance."""

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
    periods,
    picked,
    read,
    variants,
)
from mttr_pipeline.metrics.survival import HORIZON_US, Curves, Z, curves

ENOUGH = 6  # observations that a verdict needs in each of the two periods


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per variant and scope member with an observation in either period, and always one for the scope all.

    Durations are minutes. NaN stands for a value that does not exist.
    """
    _, recent = periods(con)
    start_us, change_us = (int(instant) for instant in recent.starts_us)
    end_us = int(recent.ends_us[-1])
    abandoned = read(con, "SELECT incident_no FROM figures.abandoned ORDER BY incident_no")["incident_no"]
    parts: list[Columns] = []
    for variant in variants(con):
        rows = observations(con, variant, start_us, also=["incident_no"])
        rows = picked(rows, rows["started_us"] < end_us)
        censored = np.flatnonzero(~rows["is_event"])
        rows["is_abandoned"] = np.zeros(len(rows["is_event"]), dtype=np.bool_)
        rows["is_abandoned"][censored] = np.isin(rows["incident_no"][censored], abandoned)
        for groups in by_scope(rows):
            time_us, is_event, started_us, is_abandoned = (
                rows[name][groups.order] for name in ("observed_us", "is_event", "started_us", "is_abandoned")
            )
            parts.append(
                {
                    "calculation_type": np.full(len(groups.member), variant, dtype=object),
                    "member_id": groups.member,
                    **compare(groups.bounds, time_us, is_event, started_us >= change_us, is_abandoned),
                }
            )
    return joined(parts)


def compare(
    bounds: Integers, time_us: Integers, is_event: Flags, is_current: Flags, is_abandoned: Flags | None = None
) -> Columns:
    """The current rows of each group against its previous ones. The groups are one family of tests.

    Groups are consecutive and ordered by time; `bounds` has one place more than there are groups. The result has one row per
    group. The ratio of durations, current / previous, is the Hodges-Lehmann estimate on logarithms where no row is censored, else
    the ratio of restricted means up to a horizon that both curves reach. The test is also done without the abandoned rows.
    """
    now, before = (_curves(bounds, time_us, is_event, period) for period in (is_current, ~is_current))
    p, excess = log_rank(bounds, time_us, is_event, is_current)
    is_enough = (now.n >= ENOUGH) & (before.n >= ENOUGH)
    is_censored = (now.events < now.n) | (before.events < before.n)
    is_comparable = (now.n > 0) & (before.n > 0) & (now.events + before.events > 0)
    # A curve that ends with a censored row is unknown after it. Both restricted means stop there.
    horizon_us = np.minimum(np.minimum(_end_of_curve(now), _end_of_curve(before)), HORIZON_US)
    ratio, low, high = _mean_ratio(
        *(_curves(bounds, time_us, is_event, period, horizon_us) for period in (is_current, ~is_current))
    )
    for values in (ratio, low, high):
        values[~is_comparable] = np.nan
    logs = np.log(np.maximum(time_us, TICK_US))
    for group in np.flatnonzero(is_comparable & ~is_censored):
        rows = slice(bounds[group], bounds[group + 1])
        current = is_current[rows]
        ratio[group], low[group], high[group] = np.exp(hodges_lehmann(logs[rows][current], logs[rows][~current]))
    abandoned = np.zeros(len(time_us), dtype=np.bool_) if is_abandoned is None else is_abandoned
    return {
        "n": now.n,
        "n_events": now.events,
        "previous_n": before.n,
        "previous_n_events": before.events,
        "is_censored": is_censored,
        "horizon_minutes": np.where(is_comparable & is_censored, horizon_us, np.nan) / 6e7,
        "km_median": now.quantile_us[0.5] / 6e7,
        "km_median_low": now.low_us[0.5] / 6e7,
        "km_median_high": now.high_us[0.5] / 6e7,
        "previous_km_median": before.quantile_us[0.5] / 6e7,
        "previous_km_median_low": before.low_us[0.5] / 6e7,
        "previous_km_median_high": before.high_us[0.5] / 6e7,
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
        "log_rank_p": p,
        "excess": excess,
        "q": benjamini_hochberg(np.where(is_enough, p, np.nan)),
        "smallest_detectable_ratio": smallest_detectable_ratio(
            now.events.astype(np.float64), before.events.astype(np.float64)
        ),
        "is_enough": is_enough & ~np.isnan(p),
        **_without(bounds, time_us, is_event, is_current, abandoned, p, excess),
    }


def _without(
    bounds: Integers,
    time_us: Integers,
    is_event: Flags,
    is_current: Flags,
    is_abandoned: Flags,
    p: Floats,
    excess: Floats,
) -> Columns:
    """The test without the abandoned rows. `p` and `excess` are those with them: groups without an abandoned row keep theirs."""
    n, n_current = (
        np.diff(edges_of(chosen.astype(np.int64))[bounds]) for chosen in (~is_abandoned, is_current & ~is_abandoned)
    )
    current = np.diff(edges_of((is_abandoned & is_current).astype(np.int64))[bounds])
    previous = np.diff(bounds) - n - current
    has_any = n < np.diff(bounds)
    p, excess = p.copy(), excess.copy()
    if has_any.any():
        rows = np.repeat(has_any, np.diff(bounds)) & ~is_abandoned
        tested = log_rank(edges_of(n[has_any]), time_us[rows], is_event[rows], is_current[rows])
        p[has_any], excess[has_any] = tested
    is_enough = (n_current >= ENOUGH) & (n - n_current >= ENOUGH) & ~np.isnan(p)
    return {
        "n_abandoned": current,
        "previous_n_abandoned": previous,
        "excess_without": excess,
        "q_without": benjamini_hochberg(np.where(is_enough, p, np.nan)),
        "is_enough_without": is_enough,
    }


def _curves(
    bounds: Integers, time_us: Integers, is_event: Flags, chosen: Flags, horizon_us: Floats | float = float(HORIZON_US)
) -> Curves:
    """The curves of the chosen rows of each group."""
    return curves(edges_of(chosen.astype(np.int64))[bounds], time_us[chosen], is_event[chosen], horizon_us)


def _end_of_curve(found: Curves) -> Floats:
    """The time up to which each curve is known, in microseconds: infinity unless its last row is censored."""
    return np.where(found.is_mean_bound, found.longest_us, np.inf)


def _mean_ratio(now: Curves, before: Curves) -> tuple[Floats, Floats, Floats]:
    """The ratio of the restricted means and its 95 % limits, by the delta method on its logarithm.

    Royston and Parmar, Restricted mean survival time, BMC Medical Research Methodology 13 (2013). NaN where a mean is 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = now.mean_us / before.mean_us
        width = Z * np.sqrt(now.mean_variance / now.mean_us**2 + before.mean_variance / before.mean_us**2)
        ratio = np.where(np.isfinite(ratio), ratio, np.nan)
        return ratio, ratio * np.exp(-width), ratio * np.exp(width)
