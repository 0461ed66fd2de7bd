"""What the pulls did and noticed, from their manifests: the tables that `source_runs` and the findings are made of.

What belongs here: manifests as rows, each table made anew by every load. What does not: records.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from mttr_pipeline.landing.completed import Completed
from mttr_pipeline.landing.manifest import Attempt, Manifest, disbelieved
from mttr_pipeline.landing.store import NOT_PULLED
from mttr_pipeline.warehouse.histories import record_histories
from mttr_pipeline.warehouse.preparation import insert_rows
from mttr_pipeline.warehouse.transaction import transaction

_TABLES = {
    "facts": "source VARCHAR, extract_id VARCHAR, fact VARCHAR, n BIGINT",
    "out_of_sight": "source VARCHAR, extract_id VARCHAR, group_name VARCHAR, n BIGINT",
    "attempts": """source VARCHAR, extract_id VARCHAR, run_id VARCHAR, started_at TIMESTAMP, finished_at TIMESTAMP, status VARCHAR,
        requests BIGINT, fetched BIGINT, since VARCHAR, until VARCHAR, error VARCHAR, data_as_of TIMESTAMP""",
    "histories": "source VARCHAR, complete_since TIMESTAMP",
    "differences": "source VARCHAR, extract_id VARCHAR, stream VARCHAR, expected BIGINT, received BIGINT",
}
#: Makes the tables where there are none. What is there stays: a run that goes on after its load, or makes one table, reads it.
PULLS = "\n".join(f"CREATE TABLE IF NOT EXISTS ops.{name} ({columns});" for name, columns in _TABLES.items())


def record_pulls(
    con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest], removed: Sequence[Completed] = ()
) -> None:
    """Say anew what every pull did, found and covers. `manifests` are those of the landing zone, oldest first; `removed` are the
    extracts that left it for their age."""
    with transaction(con):
        for name, columns in _TABLES.items():  # not emptied: those of an earlier release may have other columns
            con.execute(f"CREATE OR REPLACE TABLE ops.{name} ({columns})")
        _record_attempts(con, manifests)
        _record_facts(con, manifests, removed)
        _record_differences(con, manifests)
        record_histories(con, manifests)


def _record_attempts(con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest]) -> None:
    """What every pull did, the failed ones too. A run that tries an extract again has done what came of it in the end."""
    rows: list[list[Any]] = []
    ahead = disbelieved(manifests)
    for manifest in manifests:
        tries: dict[str, list[Attempt]] = {}
        for attempt in manifest.attempts:
            tries.setdefault(attempt.run_id, []).append(attempt)
        for of_a_run in tries.values():
            first, attempt = of_a_run[0], of_a_run[-1]
            final = attempt is manifest.attempts[-1] and manifest.status == "complete"
            # A pull without a high-water mark (it filled a gap, or had the same clock again) does not extend what is known.
            # Nor does one whose mark a later pull did not believe.
            mark = None if manifest.extract_id in ahead else manifest.high_water
            data_as_of = mark or (attempt.finished_at if manifest.source in NOT_PULLED else None)
            rows.append(
                [
                    *(manifest.source, manifest.extract_id, attempt.run_id),
                    *(_utc(first.started_at), _utc(attempt.finished_at), attempt.status),
                    sum(one.requests for one in of_a_run),
                    manifest.records if final else 0,
                    *(manifest.plan.get("since"), manifest.plan.get("until"), attempt.error),
                    _utc(data_as_of) if final and data_as_of else None,
                ]
            )
    insert_rows(con, "ops.attempts", rows)


def _record_differences(con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest]) -> None:
    """Where a listing held fewer records than the vendor's own count of it; a full pull of a source settles earlier ones."""
    found: dict[str, list[list[Any]]] = {}
    for manifest in manifests:
        if manifest.status != "complete":
            continue
        if manifest.plan.get("mode") != "incremental":
            found.pop(manifest.source, None)
        for difference in manifest.facts.get("count_differences", []):
            counts = [difference["stream"], difference["expected"], difference["received"]]
            found.setdefault(manifest.source, []).append([manifest.source, manifest.extract_id, *counts])
    insert_rows(con, "ops.differences", [row for rows in found.values() for row in rows])


def _record_facts(con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest], removed: Sequence[Completed]) -> None:
    """What the pulls noticed on their way, and what is there no more."""
    complete = [manifest for manifest in manifests if manifest.status == "complete"]
    rows: list[list[Any]] = [[m.source, m.extract_id, fact, n] for m in complete for fact, n in _facts(m).items()]
    rows += [[r.source, r.extract_id, "records_removed_for_their_age", r.records] for r in removed if r.records]
    insert_rows(con, "ops.facts", rows)
    newest = {manifest.source: manifest for manifest in complete}  # an earlier pull's answer is out of date
    rows = [
        [source, manifest.extract_id, group, n]
        for source, manifest in newest.items()
        for group, n in manifest.facts.get("out_of_sight", {}).items()
    ]
    insert_rows(con, "ops.out_of_sight", rows)


def _facts(manifest: Manifest) -> dict[str, int]:
    """Fact -> number."""
    counted: dict[str, Any] = dict(manifest.facts.get("counts", {}))
    windows = manifest.facts.get("audit", {}).get("postponed", {})
    counted["audit_windows_postponed"] = sum(len(keys) for keys in windows.values())
    return {fact: int(n) for fact, n in sorted(counted.items()) if n}


def _utc(text: str) -> datetime:
    """An ISO instant as the naive UTC that TIMESTAMP columns hold."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
