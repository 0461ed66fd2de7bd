"""Records that were published before and are gone now, though nobody deleted them: a loss that no other check can see.

What does not belong here: lost landing files, which the load notices (`landing.completed`).
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec

from mttr_pipeline.errors import ContractError, first_line
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.preparation import quoted

# Gone for a reason that we know: deleted at the vendor, unreadable since its last change (and counted as that), or only in an
# extract that was removed for its age. An issue of an error tracker that is no incident any more is still in error_issues.
_GONE = """
SELECT b.source, b.external_id, bool_or(r.external_id IS NOT NULL) AS is_removed
FROM records_before AS b
ANTI JOIN mart.incident_sources AS now ON now.source = b.source AND now.external_id = b.external_id
ANTI JOIN core.deleted_records AS d ON d.source = b.source AND d.external_id = b.external_id
ANTI JOIN core.errors AS e ON e.source = b.source AND e.external_id = b.external_id
ANTI JOIN ops.quarantine AS q ON q.external_id = b.external_id
LEFT JOIN ops.removed_records AS r ON r.source = b.source AND r.external_id = b.external_id
GROUP BY ALL
ORDER BY ALL
"""
# Accounts with a pull or an import that counted then and does not now. Where retention took it and its records are known, they
# alone are excused.
_TAKEN_BACK = """
SELECT DISTINCT b.source
FROM runs_before AS b
LEFT JOIN ops.attempts AS now ON now.source = b.source AND now.run_id = b.run_id
WHERE b.status IN ('complete', 'interrupted') AND now.status IS DISTINCT FROM b.status AND (
    (now.status IS NOT NULL AND b.status = 'complete')
    OR (now.status IS NULL AND b.status = 'complete' AND NOT EXISTS (FROM ops.removed AS r WHERE r.source = b.source))
    OR (now.status IS NULL AND EXISTS (
        FROM ops.removed AS r WHERE r.source = b.source AND NOT r.is_known AND starts_with(r.extract_id, b.run_id)))
)
"""
_BEFORE = {"records_before": "incident_sources", "runs_before": "source_runs"}  # temporary table -> Parquet file


def require_what_was_published(warehouse: Warehouse, generation: Path, allowed_pct: float) -> None:
    """Compare the records of a generation with what is to be published now, source by source.

    `allowed_pct` is the share of a source's records that may be gone (`[publish] may_vanish_pct`). Nothing is compared when the
    clock of this run is before that of the generation, nor for a source that is configured no more or has a pull or import less than
    then, because somebody took it back. What `[landing] keep_days` removed may be gone, and that is said. A generation that cannot
    be read proves nothing, and that is said. Raises ContractError.
    """
    try:
        manifest = msgspec.json.decode((generation / "manifest.json").read_bytes())
        as_of = datetime.fromisoformat(manifest["as_of"])
        for table, name in _BEFORE.items():
            file = quoted(generation / "parquet" / f"{name}.parquet")
            warehouse.con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM read_parquet({file})")
    except (
        OSError,
        LookupError,
        TypeError,
        ValueError,
        msgspec.MsgspecError,
        duckdb.IOException,
        duckdb.InvalidInputException,
    ) as error:
        print(
            f"{generation} cannot be read ({first_line(error)}), so nobody looked whether a record that it holds is gone now.",
            file=sys.stderr,
            flush=True,
        )
        return
    if warehouse.as_of >= as_of:
        _require_records(warehouse, allowed_pct)
    for table in _BEFORE:
        warehouse.con.execute(f"DROP TABLE {table}")


def _require_records(warehouse: Warehouse, allowed_pct: float) -> None:
    totals = dict(
        warehouse.con.execute(
            "SELECT source, count(DISTINCT external_id) FROM records_before GROUP BY source"
        ).fetchall()
    )
    gone: dict[str, list[str]] = {}
    aged: Counter[str] = Counter()
    for source, external_id, is_removed in warehouse.con.execute(_GONE).fetchall():
        if is_removed:
            aged[source] += 1
        else:
            gone.setdefault(source, []).append(external_id)
    excused = {row[0] for row in warehouse.con.execute(_TAKEN_BACK).fetchall()} if gone else set()
    removed = {row[0] for row in warehouse.con.execute("SELECT DISTINCT source FROM ops.removed").fetchall()}
    for source, ids in gone.items():
        account = _account_of(warehouse, source)
        if account in excused and account in removed:  # by which of them went, nobody can tell any more
            aged[source] += len(ids)
    for source, count in sorted(aged.items()):
        print(
            f"{source}: {count} of the {totals[source]} records published before are gone, because extracts older than "
            "[landing] keep_days were removed.",
            file=sys.stderr,
            flush=True,
        )
    for source, ids in gone.items():
        account = _account_of(warehouse, source)
        if account in excused or account is None or 100 * len(ids) <= allowed_pct * totals[source]:
            continue
        examples = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
        raise ContractError(
            f"{source}: {len(ids)} of the {totals[source]} records published now ({examples}) would be gone, and the vendor "
            f"did not delete them. If landing/{account} lost something, restore it from a backup or run `mttr run --source "
            f"{account} --full-refresh`; if it is right, for example after a change of mttr.toml, publish once with "
            f"`[publish] may_vanish_pct = {_rounded_up(100 * len(ids) / totals[source])}`. What was published before is untouched."
        )


def _account_of(warehouse: Warehouse, source: str) -> str | None:
    """The configured account that a source of records belongs to: `acme_eu` for `acme_eu_incident`. None for one that is
    configured no more."""
    configured = {account.name for account in warehouse.settings.accounts}
    landed = {row[0] for row in warehouse.con.execute("SELECT DISTINCT source FROM ops.attempts").fetchall()}
    candidates = [name for name in configured | landed if source == name or source.startswith(f"{name}_")]
    account = max(candidates, key=len, default=None)
    return account if account in configured else None


def _rounded_up(pct: float) -> float:
    return min(math.ceil(pct * 10) / 10, 100.0)
