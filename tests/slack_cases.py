"""What the tests of Slack share: a simulated workspace that is pulled into a landing zone, and the tables of what was landed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy_cases import Site

from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.slack import SlackSimulator, Workspace
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import new_run_id
from mttr_pipeline.warehouse.database import Warehouse

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


class Office(Site):
    """A workspace that is pulled."""

    def built(self, *wanted: str) -> Warehouse:
        """A warehouse with these tables and what they need, of everything landed so far. Close it."""
        warehouse = Warehouse(self.folder / f"{new_run_id()}.duckdb", self.settings, NOW + 400 * DAY, "run")
        warehouse.load(self.landing)
        needed = set(wanted).union(*(warehouse.catalog.upstream(table) for table in wanted))
        for model in warehouse.catalog:
            if model.table in needed:
                warehouse.build(model)
        return warehouse

    def table(self, table: str, columns: str = "*", where: str = "true") -> list[Any]:
        """Rows of one table."""
        warehouse = self.built(table)
        try:
            return sorted(warehouse.con.execute(f"SELECT {columns} FROM {table} WHERE {where}").fetchall(), key=str)
        finally:
            warehouse.close()

    def events(self, where: str = "true") -> list[Any]:
        return self.table(
            "staging.slack_events", "external_id, event_type, date_trunc('second', happened_at), provenance", where
        )

    def methods(self) -> list[str]:
        """The methods that were called since the last pull began, in order."""
        return [line.path.removeprefix("/api/") for line in self.server.log]


@contextmanager
def office(
    workspace: Workspace, folder: Path, *, limits: Any = None, how: Any = None, **options: Any
) -> Iterator[Office]:
    """`how` goes to the simulator, `options` to `[sources.slack]`."""
    simulator = SlackSimulator(workspace, **(how or {}))
    with VendorServer([simulator], clock=NOW, limits=limits) as server:
        yield Office("slack", server, folder, **options)


def counts(manifest: Manifest) -> dict[str, int]:
    found: dict[str, int] = manifest.facts.get("counts", {})
    return found


def plain(at: datetime) -> datetime:
    return at.replace(tzinfo=None)
