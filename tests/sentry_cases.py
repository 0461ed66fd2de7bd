"""What the tests of error trackers share: an organization with errors, pulls of it, and what its staging tables say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy_cases import Site

from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.sentry import SentrySimulator
from mttr_pipeline.demo.sentry.records import deploy, release
from mttr_pipeline.demo.sentry.truth import Episode, ErrorIssue, Errors, per_hour
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import new_run_id
from mttr_pipeline.warehouse.database import Warehouse

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class Organization:
    """An organization that goes on, and a simulator of it."""

    def __init__(self, **how: Any) -> None:
        self.releases: list[Any] = []
        self.deploys: dict[str, list[Any]] = {}
        self.errors = Errors(teams={"checkout": ("Payments",), "search": ("Search", "Platform")})
        self.simulator = SentrySimulator.from_records(self.releases, deploys=self.deploys, errors=self.errors, **how)

    def issue(self, first_seen: datetime, *episodes: Episode, until: datetime | None = None, **more: Any) -> ErrorIssue:
        """One more issue, with two events in each hour until it was resolved, or `until`, whichever is earlier."""
        number = len(self.errors.issues) + 1
        known = [[at for at in (one.resolved, until) if at] for one in episodes] or [[until] if until else []]
        ends = [min(each, default=first_seen) for each in known]
        begins = [one.began for one in episodes] or [first_seen]
        events: dict[datetime, int] = {}
        for begin, end in zip(begins, ends, strict=True):
            events |= per_hour(begin, max(begin, end), 2)
        made: dict[str, Any] = {"project": "checkout", "title": f"KeyError {number}", "events": events, **more}
        found = ErrorIssue(
            number=number, first_seen=first_seen, episodes=list(episodes) or [Episode(first_seen)], **made
        )
        self.errors.issues.append(found)
        return found

    def release(self, version: str, at: datetime, deployed: datetime | None = None, **more: Any) -> None:
        self.releases.append(release(version, at, ("checkout",), **more))
        if deployed:
            number = sum(map(len, self.deploys.values())) + 1
            self.deploys.setdefault(version, []).append(deploy(number, deployed, dateFinished=deployed.isoformat()))


class ErrorSite(Site):
    """A vendor on a server that has errors, and pulls of it; the vendor's clock is that of the pull."""

    built: tuple[list[str], Warehouse] | None = None

    def pull(self, as_of: datetime = NOW, **asked: Any) -> Manifest:
        self.server.now = as_of
        return super().pull(as_of, **asked)

    def table(self, name: str, columns: str = "*", *, is_sound: bool = True) -> list[Any]:
        """The rows of a staging table of what is landed so far. All of them are built once a night, and keep what they promise."""
        night = [manifest.extract_id for manifest in self.landing.manifests(self.name)]
        if self.built is None or self.built[0] != night:
            self.forget()
            self.built = (night, self._build(is_sound))
        found = self.built[1].con.execute(f"SELECT {columns} FROM staging.{self.name}_{name}").fetchall()
        return sorted(found, key=str)

    def core(self, name: str, columns: str) -> list[Any]:
        """The rows of a table of all sources."""
        table = f"core.{name}"
        warehouse = Warehouse(self.folder / f"{new_run_id()}.duckdb", self.settings, NOW + 400 * DAY, "run")
        try:
            warehouse.load(self.landing)
            for model in warehouse.catalog:
                if model.table in {table, *warehouse.catalog.upstream(table)}:
                    warehouse.build(model)
            return warehouse.con.execute(f"SELECT {columns} FROM {table}").fetchall()
        finally:
            warehouse.close()

    def _build(self, is_sound: bool) -> Warehouse:
        warehouse = Warehouse(self.folder / f"{new_run_id()}.duckdb", self.settings, NOW + 400 * DAY, "run")
        warehouse.load(self.landing)
        for model in warehouse.catalog:
            if model.account == self.name and model.schema == "staging":
                warehouse.build(model)
                assert [c for c in warehouse.check(model) if not c.passed] == [], model.table
        assert not is_sound or warehouse.con.execute("SELECT * FROM ops.quarantine").fetchall() == []
        return warehouse

    def forget(self) -> None:
        """Close what was built."""
        if self.built is not None:
            self.built[1].close()
            self.built = None

    def events(self, columns: str = "external_id, event_type, happened_at", kinds: str = "") -> list[Any]:
        """What happened to issues, notes apart."""
        wanted = kinds.split() or ["regression", "reopened", "resolved", "archived", "acknowledged", "escalated"]
        rows = self.table("error_events", f"event_type, {columns}")
        return sorted((row[1:] for row in rows if row[0] in wanted), key=str)

    def requests(self, part: str = "") -> list[str]:
        """Paths and queries of the requests with this part."""
        lines = [f"{line.path}?{line.query}" for line in self.server.log]
        return [line for line in lines if part in line]


@contextmanager
def site(organization: Organization, folder: Path, *, limits: Any = None, **options: Any) -> Iterator[ErrorSite]:
    """The organization on a server, and its pulls."""
    with VendorServer([organization.simulator], clock=NOW, limits=limits) as server:
        found = ErrorSite("sentry", server, folder, **{"commits": False, **options})
        try:
            yield found
        finally:
            found.forget()


def counts(manifest: Manifest) -> dict[str, int]:
    """What a pull noticed."""
    found: dict[str, int] = manifest.facts.get("counts", {})
    return found


def plain(at: datetime) -> datetime:
    """As tables hold it."""
    return at.replace(tzinfo=None)
