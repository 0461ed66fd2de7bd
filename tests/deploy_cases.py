"""What the tests of deploys share: a vendor that is pulled into a landing zone, its staging table, and a small company's deploys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from support import landed_rows, settings_for

from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.warehouse.database import Warehouse

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class Site:
    """A vendor on a server, and pulls of it into one landing zone."""

    def __init__(self, name: str, server: VendorServer, folder: Path, **options: Any) -> None:
        self.name, self.server, self.folder = name, server, folder
        folder.mkdir(exist_ok=True)
        self.landing = Landing(folder / "landing")
        self.configure(**options)

    def configure(self, **options: Any) -> None:
        configured = {"sources": {self.name: {"max_wait_minutes": 1, **options}}}
        self.settings = settings_for(self.folder, configured, self.server.env(self.name))

    def pull(self, as_of: datetime = NOW, **asked: Any) -> Manifest:
        self.server.clear_log()
        source = build_source(self.name, self.settings)
        try:
            return pull(source, self.settings, self.landing, new_run_id(), as_of=as_of, **asked)
        finally:
            source.close()

    def rows(self, manifest: Manifest, stream: str) -> list[Any]:
        return landed_rows(self.landing, manifest, stream)

    def ids(self, manifest: Manifest, stream: str = "deployments") -> list[str]:
        return sorted({row["id"] for row in self.rows(manifest, stream)})

    def deploys(self, columns: str = "*") -> list[Any]:
        """The rows of the staging table of what is landed so far."""
        table = f"staging.{self.name}_deploys"
        warehouse = Warehouse(self.folder / f"{new_run_id()}.duckdb", self.settings, NOW + 400 * DAY, "run")
        try:
            warehouse.load(self.landing)
            for model in warehouse.catalog:
                if model.table in {table, *warehouse.catalog.upstream(table)}:
                    warehouse.build(model)
            return sorted(warehouse.con.execute(f"SELECT {columns} FROM {table}").fetchall(), key=str)
        finally:
            warehouse.close()

    def asked(self, part: str) -> list[dict[str, list[str]]]:
        """The queries of the requests whose path has this part."""
        return [parse_qs(line.query) for line in self.server.log if part in line.path]


def company(until: datetime) -> list[Deploy]:
    """Deploys of two services in all their stories, over forty days."""
    found = []
    for number in range(1, 121):
        asked = until - 40 * DAY + number * 8 * HOUR
        story = {3: "fails", 5: "waits", 6: "unfinished", 8: "cancelled"}.get(number % 12, "plain")
        begun = asked + (7 * HOUR if story == "waits" else MINUTE)
        found.append(
            Deploy(
                tool="gitlab",
                number=number,
                service=("Checkout", "Search")[number % 2],
                environment=("production", "staging")[number % 5 == 0],
                story=story,
                version=f"1.{number}",
                sha=f"{number:040x}",
                title=f"Change {number}",
                author="ana",
                committed=asked - 3 * HOUR,
                requested=asked,
                started=begun,
                finished=None if story == "unfinished" else begun + 9 * MINUTE,
                outcome={"fails": "failure", "cancelled": "cancelled", "unfinished": ""}.get(story, "success"),
            )
        )
    return found
