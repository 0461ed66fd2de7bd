"""Publishing: what readers open is whole, documented, the same on every rebuild, and never half of two runs.

The failures are real ones: a file-size limit of the operating system stands in for a full disk, a killed process for a
machine that went down.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import re
import shutil
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import polars as pl
import pyarrow.parquet as pq
import pytest
from reference import DAY, HOUR, MINUTE, STAMPS
from support import AS_OF, AS_OF_US, build_all, copy_database, file_size_limit, iso, land_custom, open_warehouse, rows

from mttr_pipeline.config.sections import Keep
from mttr_pipeline.errors import ContractError, is_of_the_disk
from mttr_pipeline.landing.retention import remove_old
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.publish import latest, publish
from mttr_pipeline.publish.generation import _prune
from mttr_pipeline.publish.vanished import require_what_was_published
from mttr_pipeline.reports.schemas import TYPES, schema
from mttr_pipeline.warehouse import loading
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import STORAGE_VERSION, Warehouse
from mttr_pipeline.warehouse.transaction import transaction

MART = default_catalog().published

CONTRACT = {
    "incidents": """incident_id source external_id title url kind severity severity_source status occurred_at detected_at
        acknowledged_at investigating_at root_cause_found_at mitigated_at resolved_at closed_at first_resolved_at is_counted
        resolve_minutes episode recurrence_of reopen_count active_minutes auto_resolved resolution_kind duplicate_of service team
        tags root_cause_category affected_users revenue_impact updated_at""",
    "incident_sources": "incident_id source external_id link_reason",
    "incident_events": "incident_id source external_id event_id event_type at actor notes",
    "analysed_incidents": """calculation_type incident_id minutes population severity service team source kind started_date
        started_week_date started_month_date resolved_month_date""",
    "services": "",
    "teams": "",
    "mttr_stats": """calculation_type phase_model scope scope_value window_start window_end as_of incidents_matched
        incidents_analyzed incidents_excluded excluded_missing_start excluded_missing_end excluded_open excluded_invalid
        excluded_outlier mean_minutes median_minutes p90_minutes p95_minutes p99_minutes min_minutes max_minutes
        std_dev_minutes outlier_minutes_share km_median km_median_low km_median_high km_p90 rmst_minutes n_events n_open""",
    "phase_breakdown": """calculation_type phase_model scope scope_value window_start window_end phase n mean_minutes
        median_minutes total_minutes invalid pct_of_means share_pct""",
    "data_quality": "dq_check source n total pct status",
    "quarantine": "source external_id reason detected_in_run raw_reference",
    "source_runs": """source run_id started_at finished_at status requests records_fetched records_normalised
        duplicates_dropped quarantined since until error data_as_of""",
    "metric_definitions": "",
}


def history() -> list[dict[str, Any]]:
    """A hundred incidents of four months, some open, one reopened late, one duplicate, one unreadable."""
    chance = random.Random(7)
    found: list[dict[str, Any]] = []
    for n in range(100):
        at = AS_OF_US - chance.randrange(120 * DAY)
        record: dict[str, Any] = {
            "external_id": str(n),
            "severity": f"SEV{chance.randint(1, 4)}",
            "title": f"Störung {n}",
        }
        record["service"], record["team"] = chance.choice(("api", "web")), chance.choice(("red", "blue"))
        record["tags"] = ["a", "b"][: chance.randrange(3)]
        for name in STAMPS[: chance.choice((3, 7, 8, 8))]:
            record[f"{name}_at"] = iso(at)
            at += int(chance.lognormvariate(3, 1) * MINUTE)
        found.append(record)
    began = AS_OF_US - 10 * DAY
    told = (("detected", 0), ("resolved", HOUR), ("reopened", 30 * HOUR), ("resolved", 31 * HOUR))
    timeline = [{"event_type": name, "at": iso(began + us), "notes": "Mitigated: yes"} for name, us in told]
    found.append({"external_id": "late", "timeline": timeline})
    found.append({"external_id": "twice", "duplicate_of": "1", "detected_at": iso(began)})
    found.append({"external_id": "unreadable", "detected_at": "some day"})
    return found


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    found = Landing(tmp_path_factory.mktemp("landed") / "landing")
    land_custom(found, history()[:60], "20261030T000000000Z-aaaa")
    land_custom(found, history()[50:], "20261031T000000000Z-bbbb")
    return found


@contextmanager
def built(
    landing: Landing, folder: Path, run_id: str = "run-1", threads: int = 2, as_of: datetime = AS_OF
) -> Iterator[Warehouse]:
    warehouse = open_warehouse(folder, as_of=as_of, run_id=run_id, after_nothing=True)
    try:
        warehouse.con.execute(f"SET threads = {threads}")
        warehouse.load(landing)
        build_all(warehouse)
        yield warehouse
    finally:
        warehouse.close()


@pytest.fixture(scope="module")
def built_folder(landing: Landing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a working database in which run-1 built every table."""
    folder = tmp_path_factory.mktemp("work")
    with built(landing, folder):
        pass
    return folder


@contextmanager
def copied(built_folder: Path, folder: Path) -> Iterator[Warehouse]:
    """The same, for a test that may damage it."""
    copy_database(built_folder, folder)
    warehouse = open_warehouse(folder)
    try:
        yield warehouse
    finally:
        warehouse.close()


@pytest.fixture(scope="module")
def warehouse(built_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Publishing does not change it."""
    with copied(built_folder, tmp_path_factory.mktemp("shared")) as found:
        yield found


@pytest.fixture(scope="module")
def generation(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(warehouse, tmp_path_factory.mktemp("first") / "published", "run-1").folder


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


# --- what is in a generation ------------------------------------------------------------------------------------------


def test_everything_in_the_folder_is_in_the_manifest_and_true(generation: Path) -> None:
    """Whoever copies a generation can see that it arrived whole."""
    manifest = manifest_of(generation)
    found = {path.relative_to(generation).as_posix() for path in generation.rglob("*") if path.is_file()}
    assert found == {*manifest["files"], "manifest.json"}
    for name, said in manifest["files"].items():
        content = (generation / name).read_bytes()
        assert (said["bytes"], said["sha256"]) == (len(content), hashlib.sha256(content).hexdigest()), name
    assert {f"parquet/{model.name}.parquet" for model in MART} <= found
    assert {"mttr.duckdb", "json/summary.json"} <= found
    assert manifest["run_id"] == generation.name == "run-1"
    assert manifest["as_of"] == "2026-11-01T00:00:00Z"
    assert manifest["versions"]["storage"] == STORAGE_VERSION


def test_no_file_can_be_written_to(generation: Path) -> None:
    """DuckDB would happily open it for writing, and the next reader would find another file than the manifest says."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in generation.rglob("*") if path.is_file()}
    assert {
        name: oct(mode) for name, mode in modes.items() if mode != (0o444 if name == "mttr.duckdb" else 0o644)
    } == {}


def test_the_database_is_of_a_storage_version_that_old_readers_open(generation: Path) -> None:
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{generation / 'mttr.duckdb'}' AS published (READ_ONLY)")
        (tags,) = rows(con, "SELECT tags FROM duckdb_databases() WHERE database_name = 'published'")
    assert tags["tags"]["storage_version"].startswith(STORAGE_VERSION)


def test_everything_in_the_database_is_explained(generation: Path) -> None:
    """Every table, column and macro has a comment, so that the documentation travels with the data."""
    with duckdb.connect(str(generation / "mttr.duckdb"), read_only=True) as con:
        tables = rows(con, "SELECT table_name, comment FROM duckdb_tables() WHERE NOT internal")
        columns = rows(con, "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")
        macros = rows(con, "SELECT function_name, comment FROM duckdb_functions() WHERE NOT internal")
        views = rows(con, "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal")
    assert {row["table_name"] for row in tables} == {model.name for model in MART if not model.view}
    assert {row["view_name"] for row in views} == {model.name for model in MART if model.view}
    assert {"mttr", "mttr_by", "mttr_population"} <= {row["function_name"] for row in macros}
    assert [row for row in tables + views + columns + macros if not row["comment"]] == []


def test_the_names_that_others_rely_on_are_there(generation: Path) -> None:
    """Dashboards outside this project select exactly these columns."""
    with duckdb.connect(str(generation / "mttr.duckdb"), read_only=True) as con:
        for table, names in CONTRACT.items():
            found = [row["column_name"] for row in rows(con, f"DESCRIBE {table}")]
            assert set(names.split()) <= set(found), table


@pytest.mark.parametrize("model", MART, ids=lambda model: model.name)
def test_parquet_is_the_table_for_everybody(generation: Path, model: Any) -> None:
    """DuckDB, Polars and Arrow read the same rows and the same instants, in UTC; the manifest counts them."""
    path = generation / "parquet" / f"{model.name}.parquet"
    count = manifest_of(generation)["files"][f"parquet/{model.name}.parquet"]["rows"]
    frame, arrow = pl.read_parquet(path), pq.read_table(path)
    with duckdb.connect(str(generation / "mttr.duckdb"), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        assert len(frame) == arrow.num_rows == count == con.execute(f"SELECT count(*) FROM {model.name}").fetchone()[0]
        assert frame.columns == arrow.column_names == list(model.columns)
        types = {row["column_name"]: row["column_type"] for row in rows(con, f"DESCRIBE {model.name}")}
        assert (
            con.execute(
                f"(FROM {model.name} EXCEPT FROM '{path}') UNION ALL (FROM '{path}' EXCEPT FROM {model.name})"
            ).fetchall()
            == []
        )
        for name, kind in types.items():
            if kind == "TIMESTAMP WITH TIME ZONE":
                assert frame.schema[name] == pl.Datetime("us", "UTC")
                assert str(arrow.schema.field(name).type) == "timestamp[us, tz=UTC]"
                stored = [us for (us,) in con.execute(f'SELECT epoch_us("{name}") FROM {model.name}').fetchall()]
                assert frame[name].dt.epoch("us").to_list() == stored
    compressions = {
        pq.read_metadata(path).row_group(group).column(0).compression
        for group in range(pq.read_metadata(path).num_row_groups)
    }
    assert compressions <= {"ZSTD"}


def test_json_is_what_its_schema_says(generation: Path) -> None:
    """Every document has a schema in the package; instants end in Z and nothing is NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    documents = sorted((generation / "json").glob("*.json"))
    assert {path.stem for path in documents} == set(TYPES)
    for path in documents:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
        jsonschema.validate(document, schema(path.stem), cls=jsonschema.Draft202012Validator)
        assert document["as_of"] == "2026-11-01T00:00:00Z"
        assert document["definition_hash"] == manifest_of(generation)["definition_hash"]


def test_the_summary_is_the_table(generation: Path) -> None:
    """The document repeats figures of mttr_stats; it computes none of its own but the change in percent."""
    summary = json.loads((generation / "json" / "summary.json").read_text(encoding="utf-8"))
    with duckdb.connect(str(generation / "mttr.duckdb"), read_only=True) as con:
        now, before = rows(
            con,
            """SELECT * FROM mttr_stats WHERE calculation_type = 'basic' AND scope = 'all' AND window_start IS NOT NULL
            ORDER BY window_start DESC""",
        )
    for name in ("mean_minutes", "median_minutes", "p95_minutes"):
        assert summary["current_mttr"][name] == now[name]
        assert summary["previous_mttr"][name] == before[name]
        change = summary["change_from_previous"][name.replace("_minutes", "_pct")]
        assert change == pytest.approx(100 * (now[name] / before[name] - 1), rel=1e-9)
    assert summary["incidents"]["current_count"] == now["incidents_matched"] > 5
    assert summary["incidents"]["previous_count"] == before["incidents_matched"] > 5
    assert summary["incidents"]["open"] == now["excluded_open"]
    assert (summary["period"]["start"], summary["previous_period"]["start"]) == (
        "2026-10-02T00:00:00Z",
        "2026-09-02T00:00:00Z",
    )


# --- the same bytes ---------------------------------------------------------------------------------------------------


def differing(first: Path, second: Path) -> set[str]:
    """Which Parquet and JSON files are not the same to the byte."""
    one, other = manifest_of(first)["files"], manifest_of(second)["files"]
    assert one.keys() == other.keys()
    return {
        name for name in one if name.startswith(("parquet/", "json/")) and one[name]["sha256"] != other[name]["sha256"]
    }


@pytest.mark.slow
def test_a_rebuild_gives_the_same_bytes(landing: Landing, generation: Path, tmp_path: Path) -> None:
    """Another folder, another run, another number of threads: same landing zone and as_of, same Parquet and JSON."""
    shutil.copytree(landing.root, tmp_path / "moved" / "landing")
    with built(Landing(tmp_path / "moved" / "landing"), tmp_path, "another-run", threads=4) as again:
        second = publish(again, tmp_path / "published", "another-run").folder
    assert differing(generation, second) == set()
    assert manifest_of(second)["definition_hash"] == manifest_of(generation)["definition_hash"]


@pytest.mark.slow
def test_what_the_database_held_before_leaves_no_trace(landing: Landing, generation: Path, tmp_path: Path) -> None:
    """Night after night the working database is used again. The clock of a run is written down to the microsecond."""
    as_of = datetime(2026, 10, 31, 1, 2, 3, 456000, tzinfo=UTC)
    with built(landing, tmp_path, "yesterday", as_of=as_of) as before:
        first = publish(before, tmp_path / "published", "yesterday").folder
    assert manifest_of(first)["as_of"] == "2026-10-31T01:02:03.456000Z"
    with duckdb.connect(str(first / "mttr.duckdb"), read_only=True) as con:
        con.execute("SET TimeZone = 'Asia/Kathmandu'")
        assert con.execute("SELECT DISTINCT as_of FROM mttr_stats").fetchall() == [(as_of,)]
    with built(landing, tmp_path, "today", threads=1) as again:
        second = publish(again, tmp_path / "published", "today").folder
    assert differing(generation, second) == set()
    assert "json/summary.json" in differing(first, second)  # another clock, other figures: the comparison can tell


_LAST_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31)

# --- the swap ---------------------------------------------------------------------------------------------------------


def test_readers_of_the_old_generation_keep_it(warehouse: Warehouse, tmp_path: Path) -> None:
    """A dashboard that has the old file open goes on reading it, even after it was pruned; the next to open gets the new one."""
    root = tmp_path / "published"
    once = Keep(nights=1, weeks=0, months=0)
    publish(warehouse, root, "run-1", once)
    assert latest(root) == (root / "run-1").resolve()
    with duckdb.connect(str(root / "latest" / "mttr.duckdb"), read_only=True) as old:
        before = old.execute("SELECT count(*) FROM incidents").fetchone()
        publish(warehouse, root, "run-2", once)
        shutil.rmtree(root / "run-1")  # as the run after the next does
        assert old.execute("SELECT count(*) FROM incidents").fetchone() == before
        assert old.execute("SELECT sum(mean_minutes) FROM mttr_stats").fetchone() is not None
        with duckdb.connect(str((root / "latest" / "mttr.duckdb").resolve()), read_only=True) as new:
            assert new.execute("SELECT count(*) FROM incidents").fetchone() == before
    assert latest(root) == (root / "run-2").resolve()
    assert json.loads((root / "latest.json").read_text(encoding="utf-8"))["run_id"] == "run-2"
    assert str((root / "latest.json").readlink()) == "latest/latest.json"  # one move changes both
    assert not (root / "latest").readlink().is_absolute()  # the folder can be moved or mounted elsewhere
    assert sorted(path.name for path in root.iterdir()) == ["latest", "latest.json", "run-2"]


def test_nothing_published_yet_is_none(tmp_path: Path) -> None:
    assert latest(tmp_path / "published") is None
    (tmp_path / "latest").symlink_to("gone")
    assert latest(tmp_path) is None


def test_the_generations_that_stay_are_of_nights_weeks_and_months(tmp_path: Path) -> None:
    """A disk does not fill up, and last month can still be looked at. Two years of nights, each with a second run at noon; then the
    clock goes back, and what was published last stays all the same."""
    day = datetime(2026, 11, 30, 2, tzinfo=UTC)
    for back in range(730):
        for hours in (0, 10):
            (tmp_path / f"{day - timedelta(days=back) + timedelta(hours=hours):%Y%m%dT%H%M%S}000Z-0000").mkdir()
    (tmp_path / "latest").symlink_to("20261130T120000000Z-0000")
    _prune(tmp_path, Keep(), "20261130T120000000Z-0000")
    kept = sorted(path.name[:11] for path in tmp_path.iterdir())
    nights = [f"202611{number}T12" for number in range(24, 31)]
    weeks = ["20261115T12", "20261122T12", "20261129T12"]  # Sundays; the fourth week is that of the 30th
    months = [
        "20251231T12",
        *(f"2026{month:02d}{last}T12" for month, last in zip(range(1, 11), _LAST_DAYS, strict=True)),
    ]
    assert kept == sorted({*nights, *weeks, *months, "20261130T02", "latest"})
    (tmp_path / "20200101T000000000Z-0000").mkdir()
    _prune(tmp_path, Keep(nights=1, weeks=0, months=0), "20200101T000000000Z-0000")
    assert sorted(path.name[:11] for path in tmp_path.iterdir()) == ["20200101T00", "20261130T12", "latest"]


def test_generations_with_another_name_are_as_old_as_their_folder(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "newer-day", "old", "older")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_790_000_000 - age * 86_400,) * 2)
    _prune(tmp_path, Keep(nights=3, weeks=0, months=0), "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "newer-day", "old"]


def test_the_pointer_of_an_earlier_release_becomes_a_link(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "latest.json").write_text('{"run_id": "old"}')
    publish(warehouse, tmp_path, "run-1")
    assert json.loads((tmp_path / "latest.json").read_text(encoding="utf-8"))["run_id"] == "run-1"
    assert (tmp_path / "latest.json").is_symlink()


def test_leftovers_of_a_killed_run_are_removed(warehouse: Warehouse, tmp_path: Path) -> None:
    stale = tmp_path / ".run-0.partial" / "parquet"
    stale.mkdir(parents=True)
    (stale / "half.parquet").write_bytes(b"PAR1")
    (stale / "half.parquet").chmod(0o444)
    publish(warehouse, tmp_path, "run-1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "latest.json", "run-1"]


# --- records that are gone ---------------------------------------------------------------------------------------------


def test_what_was_published_and_is_gone_stops_the_publish(landing: Landing, tmp_path: Path) -> None:
    """Unless its vendor deleted it, it became unreadable, its import was taken back, or the setting allows the share."""
    root = tmp_path / "published"
    with built(landing, tmp_path) as warehouse:  # only who has loaded knows of pulls and imports
        publish(warehouse, root, "run-1")
        con = warehouse.con
        (total,) = con.execute("SELECT count(DISTINCT external_id) FROM mart.incident_sources").fetchall()[0]
        con.execute("DELETE FROM mart.incident_sources WHERE external_id IN ('3', '4', '5')")
        with pytest.raises(
            ContractError, match=rf"custom: 3 of the {total} records .*\(3, 4, 5\).*may_vanish_pct = 3.0"
        ):
            publish(warehouse, root, "run-2")
        assert latest(root) == (root / "run-1").resolve()
        con.execute("INSERT INTO core.deleted_records BY NAME SELECT 'custom' AS source, '3' AS external_id")
        con.execute("INSERT INTO ops.quarantine BY NAME SELECT 'custom' AS source, '4' AS external_id, 'bad' AS reason")
        with pytest.raises(ContractError, match=r"custom: 1 of .*\(5\)"):
            publish(warehouse, root, "run-2")
        publish(warehouse, root, "run-2", may_vanish_pct=1)
        publish(warehouse, root, "run-3")  # told once: what is published now is the measure
        con.execute("DELETE FROM mart.incident_sources WHERE external_id = '6'")
        con.execute("UPDATE ops.attempts SET status = 'undone' WHERE run_id LIKE '20261030%'")
        publish(warehouse, root, "run-4")


@pytest.mark.parametrize("is_known", [True, False])
def test_what_was_removed_for_its_age_may_be_gone_and_nothing_else(
    landing: Landing, built_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], is_known: bool
) -> None:
    """`[landing] keep_days` takes the first import, with the records that the second one has not. A record of the second one that
    is gone still stops the publish, unless the working database was lost with the knowledge of what stood where."""
    there = Landing(tmp_path / "landing")
    shutil.copytree(landing.root, there.root)
    root = tmp_path / "published"
    with copied(built_folder, tmp_path) as warehouse:
        generation = publish(warehouse, root, "run-1").folder
        assert remove_old(there, datetime(2027, 10, 30, tzinfo=UTC), 364).records == {"custom": 60}
        if not is_known:
            warehouse.con.execute("DROP TABLE core.vendor_records")
        loading.load(warehouse.con, warehouse.catalog, there)  # that of the warehouse empties the mart
        # What a build makes of what is left.
        warehouse.con.execute(
            "DELETE FROM mart.incident_sources WHERE external_id NOT IN (SELECT external_id FROM raw.custom_records)"
        )
        assert capsys.readouterr().err == ""
        require_what_was_published(warehouse, generation, 0)
        aged = r"custom: {} of the 10\d records published before are gone, because extracts older than \[landing\] keep_days"
        assert re.match(aged.format(50), capsys.readouterr().err)
        warehouse.con.execute("DELETE FROM mart.incident_sources WHERE external_id = '70'")
        if is_known:
            with pytest.raises(ContractError, match=r"custom: 1 of .*\(70\)"):
                publish(warehouse, root, "run-2")
        else:
            require_what_was_published(warehouse, generation, 0)
            assert re.match(aged.format(51), capsys.readouterr().err)


def test_a_generation_that_cannot_be_read_is_no_measure_and_that_is_said(
    warehouse: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = publish(warehouse, tmp_path, "run-1").folder
    assert capsys.readouterr().err == ""
    for number, (name, content) in enumerate([("parquet/incident_sources.parquet", b"PAR1"), ("manifest.json", b"[]")]):
        path = latest(tmp_path).joinpath(name)  # type: ignore[union-attr]
        path.chmod(0o644)
        path.write_bytes(content)
        publish(warehouse, tmp_path, f"run-{number + 2}")
        assert "cannot be read" in capsys.readouterr().err
    assert first != latest(tmp_path)


def test_a_report_about_the_past_misses_nothing(warehouse: Warehouse, landing: Landing, tmp_path: Path) -> None:
    """What began after its clock is no loss."""
    root = tmp_path / "published"
    publish(warehouse, root, "run-1")
    with built(landing, tmp_path, as_of=AS_OF - timedelta(days=60)) as past:
        assert publish(past, root, "run-2").files["parquet/incident_sources.parquet"] < len(history()) / 2


def test_an_interrupt_leaves_no_half_generation(warehouse: Warehouse, tmp_path: Path) -> None:
    publish(warehouse, tmp_path, "run-1")
    before = standing(tmp_path)
    finished = set(tmp_path.iterdir())

    def once_begun(*_: Any) -> None:
        """On every machine in the middle: as soon as something of the new generation is there."""
        if set(tmp_path.iterdir()) != finished:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, once_begun)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):  # DuckDB tells it in its own way when a query is under way
        publish(warehouse, tmp_path, "run-2")
    assert standing(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "latest.json", "run-1"]
    publish(warehouse, tmp_path, "run-3")  # nothing of it is left in the connection either


def test_what_ends_a_transaction_leaves_a_connection_that_works() -> None:
    """An interrupt or a failed statement in the middle: all of it is taken back, and the next statement does not meet it."""
    with duckdb.connect() as con:
        con.execute("CREATE TABLE kept (n INTEGER)")
        for ending in (KeyboardInterrupt, duckdb.Error):
            with pytest.raises(ending), transaction(con):
                con.execute("INSERT INTO kept VALUES (1)")
                if ending is KeyboardInterrupt:
                    raise KeyboardInterrupt
                con.execute("SELECT * FROM missing")
            assert con.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        with transaction(con):
            con.execute("INSERT INTO kept VALUES (2)")
        assert con.execute("SELECT n FROM kept").fetchall() == [(2,)]


# --- failures ---------------------------------------------------------------------------------------------------------


def standing(root: Path) -> tuple[Any, ...]:
    """What a reader sees: the target of `latest`, both ways, and its content."""
    folder = latest(root)
    assert folder is not None
    names = json.loads((root / "latest.json").read_text(encoding="utf-8"))
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
    return folder, names, sums


def test_a_full_disk_leaves_what_was_published(built_folder: Path, tmp_path: Path) -> None:
    """One sentence that names the folder and the remedy; no half generation; the next night works."""
    root = tmp_path / "published"
    with copied(built_folder, tmp_path) as warehouse:
        publish(warehouse, root, "run-1")
        before = standing(root)
        with (
            file_size_limit(100_000),
            pytest.raises(ContractError, match=r"could not be published in .*free the disk") as raised,
        ):
            publish(warehouse, root, "run-2")
    assert "\n" not in str(raised.value) and str(root) in str(raised.value)
    assert standing(root) == before
    assert sorted(path.name for path in root.iterdir()) == ["latest", "latest.json", "run-1"]
    with copied(built_folder, tmp_path) as warehouse:
        publish(warehouse, root, "run-3")
    assert latest(root) == (root / "run-3").resolve()


def test_an_error_of_a_query_is_not_told_as_one_of_the_disk(built_folder: Path, tmp_path: Path) -> None:
    """Whoever frees a disk that is not full learns nothing."""
    with copied(built_folder, tmp_path) as warehouse:
        warehouse.con.execute("DROP TABLE mart.teams")
        with pytest.raises(
            ContractError, match=r"could not be published in .*teams.*the disk is not the reason"
        ) as raised:
            publish(warehouse, tmp_path / "published", "run-1")
    assert "free the disk" not in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/data"), True),
        (duckdb.FatalException("could not commit: Could not write file /data/work.duckdb"), True),
        (duckdb.BinderException('column "disk" not found'), False),
        (OSError("no fonts"), False),
        (ssl.SSLError(1, "handshake failure"), False),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), False),
    ],
)
def test_only_what_a_disk_refuses_is_of_the_disk(error: Exception, expected: bool) -> None:
    """The errors of sockets are OSErrors too, some with numbers that files have."""
    assert is_of_the_disk(error) == expected


def test_a_file_in_the_way_is_named(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "published").write_text("not a folder")
    with pytest.raises(ContractError, match=r"could not be published in .*published"):
        publish(warehouse, tmp_path / "published", "run-1")


def test_a_folder_in_the_place_of_latest_is_not_replaced(warehouse: Warehouse, tmp_path: Path) -> None:
    """Somebody copied the folder and made `latest` a real one: it is not ours to delete."""
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "theirs.txt").write_text("kept")
    with pytest.raises(ContractError, match="could not be published"):
        publish(warehouse, tmp_path, "run-1")
    assert (tmp_path / "latest" / "theirs.txt").read_text() == "kept"


def test_a_run_id_is_published_once(warehouse: Warehouse, tmp_path: Path) -> None:
    """A generation is never written to again: readers have it open."""
    publish(warehouse, tmp_path, "run-1")
    before = standing(tmp_path)
    with pytest.raises(ContractError, match="could not be published"):
        publish(warehouse, tmp_path, "run-1")
    assert standing(tmp_path) == before


def test_tables_of_two_runs_are_not_mixed(built_folder: Path, tmp_path: Path) -> None:
    """Someone materialises a single table by hand: what is published together was made together."""
    copy_database(built_folder, tmp_path)
    warehouse = open_warehouse(tmp_path, run_id="run-2")
    try:
        warehouse.build(next(model for model in MART if model.name == "incidents"))
        with pytest.raises(ContractError, match="mix two runs"):
            publish(warehouse, tmp_path / "published", "run-2")
    finally:
        warehouse.close()
    assert latest(tmp_path / "published") is None


_KILLED = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from support import open_warehouse
from mttr_pipeline.publish import publish
warehouse = open_warehouse(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel kills the process in the middle of a write
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
publish(warehouse, Path(sys.argv[1]) / "published", "run-2")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="this system has no file-size signal")
def test_a_process_killed_while_publishing_leaves_what_was_published(built_folder: Path, tmp_path: Path) -> None:
    """No handler runs, nothing cleans up: readers still see the whole old generation, and the next run clears away the rest."""
    root = tmp_path / "published"
    with copied(built_folder, tmp_path) as warehouse:
        publish(warehouse, root, "run-1")
    before = standing(root)
    child = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path), "100000", str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert child.returncode == -signal.SIGXFSZ, child.stderr
    assert (root / ".run-2.partial").is_dir()
    assert standing(root) == before
    warehouse = open_warehouse(tmp_path)  # what the dead process left
    try:
        publish(warehouse, root, "run-3")
    finally:
        warehouse.close()
    assert latest(root) == (root / "run-3").resolve()
    assert sorted(path.name for path in root.iterdir()) == ["latest", "latest.json", "run-1", "run-3"]
