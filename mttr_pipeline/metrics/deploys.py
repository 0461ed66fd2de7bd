"""Deploys: which records of different sources are one, and how long failed ones took to recover from.

What belongs here: the joining of records and the estimates over deploys. What does not: which deploys count, and what links them to
incidents (`sql/core`, `sql/facts`).
"""

from __future__ import annotations

import duckdb
import numpy as np

from mttr_pipeline.metrics.observed import Columns, edges_of, order_of, picked, read
from mttr_pipeline.metrics.survival import curves

#: Finishes of one deploy that two tools record lie no farther apart.
APART_US = 10 * 60_000_000

# Pairs of records that may be one deploy. Finishes are cut into stretches of ten minutes, and only neighbouring ones compared.
_PAIRS = f"""WITH candidates AS (
    SELECT
        record_no,
        source,
        concat_ws(chr(31), service, CASE WHEN is_production THEN '*' ELSE environment_key END, commit_key, status) AS same,
        epoch_us(finished_at) AS finished_us,
        epoch_us(finished_at) // {APART_US} AS stretch
    FROM core.deploy_records
    WHERE service IS NOT NULL AND environment_key IS NOT NULL AND commit_key IS NOT NULL AND status IS NOT NULL
        AND finished_at IS NOT NULL
)
SELECT a.record_no, b.record_no, a.source, b.source, a.finished_us, b.finished_us
FROM (SELECT *, unnest([stretch - 1, stretch, stretch + 1]) AS near FROM candidates) AS a
JOIN candidates AS b ON b.same = a.same AND b.stretch = a.near AND b.source > a.source
WHERE abs(a.finished_us - b.finished_us) <= {APART_US}
ORDER BY abs(a.finished_us - b.finished_us), least(a.finished_us, b.finished_us), a.record_no, b.record_no"""


class _Deploy:
    """Records that are one deploy so far: the sources that they are of, and their first and last finish."""

    def __init__(self, record: int, source: str, finished_us: int) -> None:
        self.records = [record]
        self.sources = {source}
        self.first_us = self.last_us = finished_us

    def takes_in(self, other: _Deploy) -> bool:
        """Join the other one, unless both have a record of one source or their finishes lie too far apart."""
        first, last = min(self.first_us, other.first_us), max(self.last_us, other.last_us)
        if last - first > APART_US or not self.sources.isdisjoint(other.sources):
            return False
        self.records += other.records
        self.sources |= other.sources
        self.first_us, self.last_us = first, last
        return True


def groups(con: duckdb.DuckDBPyConnection) -> Columns:
    """The rows of `core.deploy_groups`: one per record that is one deploy with a record of another source."""
    found: dict[int, _Deploy] = {}
    for a, b, source_a, source_b, finished_a, finished_b in con.execute(_PAIRS).fetchall():
        one = found.setdefault(a, _Deploy(a, source_a, finished_a))
        other = found.setdefault(b, _Deploy(b, source_b, finished_b))
        if one is not other and one.takes_in(other):
            found.update(dict.fromkeys(other.records, one))
    joined = sorted((record, min(deploy.records)) for record, deploy in found.items() if len(deploy.records) > 1)
    return {
        "record_no": np.array([record for record, _ in joined], dtype=np.int64),
        "deploy_no": np.array([deploy for _, deploy in joined], dtype=np.int64),
    }


def recoveries(con: duckdb.DuckDBPyConnection) -> Columns:
    """The rows of `figures.deploy_recoveries`: the Kaplan-Meier median (minutes) of each window and member with an observation."""
    rows = read(
        con,
        "SELECT window_id, member_id::BIGINT AS member_id, observed_us, is_event FROM figures.deploy_observations",
    )
    censored_last = (~rows["is_event"]).astype(np.int64)
    rows = picked(rows, order_of(rows["window_id"], rows["member_id"], rows["observed_us"], censored_last))
    is_first = np.ones(len(rows["window_id"]), dtype=np.bool_)
    is_first[1:] = (np.diff(rows["window_id"]) != 0) | (np.diff(rows["member_id"]) != 0)
    first = np.flatnonzero(is_first)
    found = curves(edges_of(np.diff(np.append(first, len(is_first)))), rows["observed_us"], rows["is_event"])
    return {
        "window_id": rows["window_id"][first],
        "member_id": rows["member_id"][first],
        "median": found.quantile_us[0.5] / 6e7,
        "low": found.low_us[0.5] / 6e7,
        "high": found.high_us[0.5] / 6e7,
        "longest": found.longest_us / 6e7,
        "n_events": found.events,
        "n_open": found.n - found.events,
    }
