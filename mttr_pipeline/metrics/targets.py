"""Which targets are missed more often than the goal allows, where chance is an unlikely cause."""

from __future__ import annotations

import duckdb
import numpy as np
from scipy import special

from mttr_pipeline.metrics.inference import benjamini_hochberg
from mttr_pipeline.metrics.observed import Columns, Floats, Integers, read

ENOUGH = 6  # incidents that a miss needs; one or two misses among fewer are no pattern
ALLOWED = 0.05  # share of the incidents that may miss their target: the goal is 95 %
SIGNIFICANT_Q = 0.05


def of_severities(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per row of `figures.target_counts`. The whole severities of a window are one family, those of services another."""
    return _judged(con, "figures.target_counts", "service")


def of_phases(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per row of `figures.phase_target_counts`. All severities together are one family, single severities another."""
    return _judged(con, "figures.phase_target_counts", "severity")


def missed(misses: Floats, n: Floats, family: Integers) -> tuple[Floats, Floats]:
    """p of the exact one-sided binomial test of the misses among n against the allowed share, and q within each family.

    p is NaN without incidents, q with fewer than ENOUGH. P(X >= k) of a binomial X is a regularised incomplete beta function:
    Clopper and Pearson, Biometrika 26 (1934).
    """
    p = np.where(misses > 0, special.betainc(np.maximum(misses, 1), n - misses + 1, ALLOWED), 1.0)
    p[n == 0] = np.nan
    tested = np.where(n >= ENOUGH, p, np.nan)
    q = np.full(len(p), np.nan)
    for members in (family == name for name in np.unique(family)):
        q[members] = benjamini_hochberg(tested[members])
    return p, q


def _judged(con: duckdb.DuckDBPyConnection, table: str, part: str) -> Columns:
    rows = read(
        con,
        f"""SELECT row_no, breached, incidents_count,
            dense_rank() OVER (ORDER BY window_name, {part} IS NULL) AS family
        FROM {table} ORDER BY row_no""",
    )
    misses, n = (rows[name].astype(np.float64) for name in ("breached", "incidents_count"))
    p, q = missed(misses, n, rows["family"])
    return {"row_no": rows["row_no"], "p": p, "q": q, "is_missed": np.nan_to_num(q, nan=1.0) < SIGNIFICANT_Q}
