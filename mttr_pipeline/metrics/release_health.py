"""Whether a release crashes more often than the one before it.

What belongs here: the test. What does not: which sessions count and which release is the one before (`sql/figures`).
"""

from __future__ import annotations

import duckdb
import numpy as np

from mttr_pipeline.metrics.inference import benjamini_hochberg, compare_rates
from mttr_pipeline.metrics.observed import Columns, read

#: Sessions that both releases need: fewer show nothing.
ENOUGH = 100


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """One row per release that has one before it: ratio of the shares of crashed sessions with limits, p, and q over all of them.

    All are NaN where one of the two has fewer than `ENOUGH` sessions. Where neither crashed, p is 1 and there is no ratio.
    """
    rows = read(
        con,
        """SELECT r.row_no, r.sessions, r.crashed, b.sessions AS sessions_before, b.crashed AS crashed_before
        FROM figures.release_sessions AS r JOIN figures.release_sessions AS b ON b.row_no = r.before_no ORDER BY r.row_no""",
    )
    sessions, before = (rows[name].astype(np.float64) for name in ("sessions", "sessions_before"))
    crashed, crashed_before = (rows[name].astype(np.float64) for name in ("crashed", "crashed_before"))
    p, ratio, low, high = compare_rates(crashed, crashed_before, sessions / np.maximum(sessions + before, 1))
    is_tested = np.minimum(sessions, before) >= ENOUGH
    p = np.where(is_tested, np.where(crashed + crashed_before > 0, p, 1.0), np.nan)
    told = {"ratio": ratio, "ratio_low": low, "ratio_high": high}
    return {
        "row_no": rows["row_no"].astype(np.int64),
        **{name: np.where(is_tested, values, np.nan) for name, values in told.items()},
        "p": p,
        "q": benjamini_hochberg(p),
    }
