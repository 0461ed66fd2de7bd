"""How often incidents happen: the time between incidents with its limits, and whether the rate changed."""

from __future__ import annotations

import duckdb
import numpy as np

from mttr_pipeline.metrics.inference import benjamini_hochberg, compare_rates, garwood
from mttr_pipeline.metrics.observed import Columns, Floats, read

ENOUGH = 6  # incidents in both periods together: with fewer, no outcome has p below 0.05


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per row of `figures.incident_counts`. The times between incidents are minutes. NaN: the value does not exist."""
    rows = read(
        con,
        """SELECT m.scope, c.member_id, c.n, c.n_current, c.n_previous, coalesce(c.observed_us, 0) AS observed_us,
            coalesce(c.current_us, 0) AS current_us, coalesce(c.previous_us, 0) AS previous_us
        FROM figures.incident_counts AS c JOIN core.scope_members AS m ON m.member_id = c.member_id ORDER BY c.member_id""",
    )
    n, current, previous = (rows[name].astype(np.float64) for name in ("n", "n_current", "n_previous"))
    covered_us = rows["current_us"] + rows["previous_us"]
    p, ratio, low, high = compare_rates(current, previous, rows["current_us"] / np.maximum(covered_us, 1))
    tested = np.where(current + previous >= ENOUGH, p, np.nan)
    q = np.full(len(p), np.nan)
    for scope in np.unique(rows["scope"].astype(str)):
        family = rows["scope"] == scope
        q[family] = benjamini_hochberg(tested[family])
    whole = time_between(n, rows["observed_us"] / 6e7)
    recent = time_between(current, rows["current_us"] / 6e7)
    return {
        "member_id": rows["member_id"],
        **{f"whole_{name}": values for name, values in zip(("mean", "low", "high"), whole, strict=True)},
        **{f"recent_{name}": values for name, values in zip(("mean", "low", "high"), recent, strict=True)},
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
        "p": p,
        "q": q,
    }


def time_between(count: Floats, minutes: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean time between incidents in minutes, and its 95 % limits (Garwood), from counts and the minutes they were counted over.

    Without an incident only the lower limit exists. NaN stands for a value that does not exist.
    """
    fewest, most = garwood(count)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, low, high = (np.where(minutes > 0, minutes / by, np.nan) for by in (count, most, fewest))
    return tuple(np.where(np.isfinite(values), values, np.nan) for values in (mean, low, high))  # type: ignore[return-value]
