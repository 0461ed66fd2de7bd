"""`[landing] keep_days`: what is too old goes, is told, and nothing else changes. Off by default."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support import open_warehouse

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.landing import retention
from mttr_pipeline.landing.compaction import compact
from mttr_pipeline.landing.completed import removed, require
from mttr_pipeline.landing.retention import remove_old
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.kit.plan import make_plan

NOW = datetime(2026, 11, 30, tzinfo=UTC)
TABLES = ("raw.pagerduty_teams", "ops.loads", "ops.quarantine", "ops.attempts", "ops.histories", "ops.facts")


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """A pull of a year and one each month after it. Team `all` is new in every one, each other team stays as it was landed."""
    landing = Landing(tmp_path / "landing")
    since = datetime(2025, 7, 1, tzinfo=UTC)
    for month in range(7, 12):
        until = datetime(2026, month, 3, 2, tzinfo=UTC)
        plan = {"mode": "incremental" if month > 7 else "backfill", "scope": {}, "since": since.isoformat()}
        extract = landing.begin("pagerduty", f"{until:%Y%m%dT%H%M%S}000Z-0000", {**plan, "until": until.isoformat()})
        extract.land("teams", "w", [b'{"id":"all","name":"%d"}' % month, b'{"id":"%d"}' % month, b'{"name":"no id"}'])
        extract.finish(until)
        since = until
    return landing


@pytest.fixture
def warehouse(landing: Landing) -> Any:
    opened = open_warehouse(landing.root.parent, after_nothing=True)
    opened.load(landing)
    yield opened
    opened.close()


def rows(warehouse: Any) -> dict[str, list[str]]:
    return {name: sorted(map(repr, warehouse.con.execute(f"FROM {name}").fetchall())) for name in TABLES}


def teams(warehouse: Any) -> set[str]:
    return {row[0] for row in warehouse.con.execute("SELECT external_id FROM raw.pagerduty_teams").fetchall()}


@pytest.mark.parametrize("is_packed", [False, True])
def test_what_is_too_old_leaves_the_tables_and_is_counted(landing: Landing, warehouse: Any, is_packed: bool) -> None:
    """The tables are those of a rebuild, nothing counts as lost, and the history begins where it is complete now."""
    if is_packed:
        compact(landing, NOW, 30)
    done = remove_old(landing, NOW, 60)
    assert (done.extracts, done.records) == (3, {"pagerduty": 9})
    require(landing.root, landing.manifests())
    warehouse.load(landing)
    assert teams(warehouse) == {"all", "10", "11"}
    assert len(rows(warehouse)["ops.quarantine"]) == 2
    facts = warehouse.con.execute("SELECT fact, sum(n) FROM ops.facts GROUP BY fact").fetchall()
    assert facts == [("records_removed_for_their_age", 9)]
    since = warehouse.con.execute("SELECT complete_since::VARCHAR FROM ops.histories").fetchall()
    assert since == [("2026-09-03 02:00:00",)]
    incremental = rows(warehouse)
    warehouse.start_over()
    warehouse.load(landing)
    assert rows(warehouse) == incremental
    assert remove_old(landing, NOW, 60).extracts == 0


def test_the_newest_extract_stays_however_old_it_is(landing: Landing) -> None:
    """The next pull begins there."""
    remove_old(landing, NOW + timedelta(days=3650), 30)
    assert [m.extract_id[:8] for m in landing.manifests()] == ["20261103"]


def test_an_archive_goes_as_a_whole_and_nothing_newer_before_it(landing: Landing) -> None:
    """Else an older payload of a record would be the newest one again."""
    extract = landing.begin("pagerduty", "20261120T020000000Z-0000", {"mode": "incremental"})
    extract.finish(datetime(2026, 11, 20, tzinfo=UTC))
    landing.begin("pagerduty", "20261202T020000000Z-0000", {"mode": "incremental"}).finish(NOW)
    compact(landing, NOW + timedelta(days=60), 30)
    remove_old(landing, datetime(2026, 12, 10, tzinfo=UTC), 30)  # of November, one extract is older and one is not
    assert [m.extract_id[:8] for m in landing.manifests()] == ["20261103", "20261120", "20261202"]


def test_a_killed_removal_loses_nothing_and_is_gone_on_with(
    landing: Landing, warehouse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is still there is loaded as before; the list is written first."""
    before = rows(warehouse)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(retention.shutil, "rmtree", killed)
        remove_old(landing, NOW, 60)
    assert len(removed(landing.root)) == 3 and len(landing.manifests()) == 4
    warehouse.load(landing)
    assert len(teams(warehouse)) == len(before["raw.pagerduty_teams"]) - 1, "those of the extract that is gone"
    remove_old(landing, NOW, 60)
    assert not list((landing.root / "pagerduty").glob(".*")) and len(landing.manifests()) == 2


def test_what_was_removed_is_not_pulled_again(landing: Landing) -> None:
    """Though the configured date is before what is left; a date before anything that was ever read is still a reason."""
    remove_old(landing, NOW, 60)
    since = min(datetime.fromisoformat(line.since or "") for line in removed(landing.root, "pagerduty"))

    def mode(configured: date) -> str:
        options = SourceOptions(since=configured)
        return make_plan(options, landing.manifests(), as_of=NOW, removed_since=since).mode

    assert mode(date(2025, 7, 1)) == "incremental" and mode(date(2025, 6, 30)) == "backfill"
    plan = make_plan(SourceOptions(), landing.manifests(), as_of=NOW, removed_since=since)
    assert plan.covered_since == datetime(2026, 9, 3, 2, tzinfo=UTC)


def test_a_restored_extract_counts_again(landing: Landing, warehouse: Any, tmp_path: Path) -> None:
    """Somebody may have set keep_days too low."""
    before = teams(warehouse)
    shutil.copytree(landing.root, tmp_path / "backup")
    remove_old(landing, NOW, 60)
    warehouse.load(landing)
    shutil.copytree(tmp_path / "backup", landing.root, dirs_exist_ok=True)
    warehouse.load(landing)
    assert teams(warehouse) == before
