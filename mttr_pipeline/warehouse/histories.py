"""From when on the history of each source is complete, from the plans of its pulls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb

from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import NOT_PULLED
from mttr_pipeline.sources.kit.audit import covered_windows


def record_histories(con: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest]) -> None:
    """Put the start of the complete history of every source that is pulled into `ops.histories`."""
    con.execute("DELETE FROM ops.histories")
    for source in sorted({manifest.source for manifest in manifests} - set(NOT_PULLED)):
        since = complete_since([m for m in manifests if m.source == source and m.status == "complete"])
        if since is not None:
            con.execute("INSERT INTO ops.histories VALUES (?, ?)", [source, since.astimezone(UTC).replace(tzinfo=None)])


def complete_since(manifests: Sequence[Manifest]) -> datetime | None:
    """The instant from which the complete pulls of one source cover its history without a gap; None without such a pull.

    `manifests` are in the order of the pulls. When the scope of a source changes, the history is read again: only pulls of the
    scope in force count. A pull that ends before the others begin, with a gap in between, adds nothing.
    """
    plans = [manifest.plan for manifest in manifests if manifest.plan.get("since") and manifest.plan.get("until")]
    if not plans:
        return None
    until = max(datetime.fromisoformat(plan["until"]) for plan in plans)
    windows = covered_windows(plans, plans[-1].get("scope", {}), until)
    return windows[-1].since if windows else None
