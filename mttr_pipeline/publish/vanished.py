"""Records that were published before and are gone now, though nobody deleted them: a loss that no other check can see.

What does not belong here: lost landing files, which the load notices (`landing.completed`).
"""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec

from mttr_pipeline.errors import ContractError
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.preparation import quoted

# Gone for a reason that we know: deleted at the vendor, or unreadable since its last change (and counted as that).
_GONE = """
SELECT b.source, b.external_id
FROM read_parquet({before}) AS b
ANTI JOIN mart.incident_sources AS now ON now.source = b.source AND now.external_id = b.external_id
ANTI JOIN core.deleted_records AS d ON d.source = b.source AND d.external_id = b.external_id
ANTI JOIN ops.quarantine AS q ON q.external_id = b.external_id
"""


def require_what_was_published(warehouse: Warehouse, generation: Path, allowed_pct: float) -> None:
    """Compare the records of a generation with what is to be published now, source by source.

    `allowed_pct` is the share of a source's records that may be gone (`[publish] may_vanish_pct`). Nothing is compared when the
    clock of this run is before that of the generation, nor for a source that is configured no more or has a pull or import less than
    then, because somebody took it back. A generation that cannot be read proves nothing. Raises ContractError.
    """
    try:
        manifest = msgspec.json.decode((generation / "manifest.json").read_bytes())
        if warehouse.as_of < datetime.fromisoformat(manifest["as_of"]):
            return
        before = quoted(generation / "parquet" / "incident_sources.parquet")
        totals = dict(
            warehouse.con.execute(f"SELECT source, count(*) FROM read_parquet({before}) GROUP BY source").fetchall()
        )
        gone: dict[str, list[str]] = {}
        for source, external_id in warehouse.con.execute(f"{_GONE.format(before=before)} ORDER BY ALL").fetchall():
            gone.setdefault(source, []).append(external_id)
        excused = _taken_back(warehouse, generation) if gone else set()
    except (OSError, KeyError, ValueError, msgspec.MsgspecError, duckdb.Error):
        return
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


def _taken_back(warehouse: Warehouse, generation: Path) -> set[str]:
    """Accounts with a pull or an import that counted then and does not now."""
    runs = quoted(generation / "parquet" / "source_runs.parquet")
    return {
        row[0]
        for row in warehouse.con.execute(
            f"""SELECT DISTINCT b.source FROM read_parquet({runs}) AS b
            ANTI JOIN ops.attempts AS now ON now.source = b.source AND now.run_id = b.run_id AND now.status = b.status
            WHERE b.status = 'complete'"""
        ).fetchall()
    }


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
