"""A data directory that 0.1.0 made is taken over: nobody has to pull a history again, and no figure changes.

`fixtures/made_by_0.1.0.tar.zst` holds what that release left after two nights against the simulators, an import and a filled
inbox: the landing zone, the working database, and what it published, without Parquet. `expected/third.duckdb` is what it
published after a third night.
"""

from __future__ import annotations

import re
import tarfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pytest
import zstandard
from support_e2e import CLOUD, copy_of, latest, mttr, scratch

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.warehouse.catalog import default_catalog

pytestmark = pytest.mark.slow  # whole runs on a directory of 0.1.0

ARCHIVE = Path(__file__).parent / "fixtures" / "made_by_0.1.0.tar.zst"
FIRST_NIGHT = datetime(2025, 10, 1, 6, tzinfo=UTC)
AS_OF = FIRST_NIGHT + timedelta(days=1)
THIRD_NIGHT = FIRST_NIGHT + timedelta(days=2)
WORLD = (11, FIRST_NIGHT, 30, {"pagerduty": 25, "opsgenie": 15, "opsgenie_incident": 8, "jira": 15, "jsm": 12})
#: Columns with sentences and with the hash of the definitions: they may change from release to release.
#: Words, people (pseudonyms now) and the ids made of what an entry says.
WORDS = {
    "definition_hash",
    "meaning",
    "headline",
    "recommendation",
    "strategy",
    "caution",
    "actor",
    "responder",
    "event_id",
}
#: What is compared of tables that say more, or in other words, when more is looked at.
COMPARED = {
    "data_quality_status": "source, light, incidents, as_of",
    "metric_definitions": "name, CASE WHEN starts_with(name, 'setting.') THEN value END",
}
#: Tables whose figures have another definition now (CHANGELOG.md says which): what they are made of is compared instead.
REDEFINED = {
    *("changes", "directions", "downtime", "opportunities", "period_summary", "phase_breakdown", "data_quality_status"),
    *("data_quality", "source_runs", "target_compliance", "bottlenecks", "bottlenecks_current", "recommendations"),
    "incident_sources",  # a row per episode, other reasons
}
#: Of these the variants that did not change.
VARIANTS = {"mttr_stats", "trend", "trend_by_severity"}
#: What a pull is not asked twice in the same way.
NEW_FIELDS = {"affected_users", "revenue_impact", "definition_hash"}  # the simulators of 0.1.0 had none
OF_THE_PULL = {"run_id", "started_at", "finished_at", "requests"}
#: Estimates that are made with numpy's `exp`, whose last bit is another one on processors with AVX-512: compared to 1e-6 minutes.
OF_THE_PROCESSOR = {"rmst_minutes", "rmst_low", "rmst_high"}
#: What is compared of a table: the variants that did not change; events that give a stamp or are a note, for the others have names
#: and people of their own now, and tickets tell who they were assigned to.
SAME = dict.fromkeys(VARIANTS, "calculation_type <> 'full_recovery'") | {
    "incident_events": "event_type NOT IN ('other', 'notified', 'assigned')"
}
#: Tables that get more rows when more is looked at.
GROWING = {"data_quality", "metric_definitions", "incident_responders"}


@cache
def unpacked() -> Path:
    folder = scratch()
    with (
        ARCHIVE.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        archive.extractall(folder, filter="tar")
    return folder


def tables(con: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    """Table -> columns."""
    found = con.execute(
        "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
        "WHERE database_name = ? AND NOT internal GROUP BY table_name",
        [database],
    ).fetchall()
    return dict(found)


def without_correlation(folder: Path) -> tuple[str, Path]:
    """0.1.0 counted every record, so that is what its figures are compared with."""
    path = folder / "mttr.toml"
    path.write_text("[correlation]\nenabled = false\n", encoding="utf-8")
    return "--config", path


def changed(before: Path, after: Path, leave_out: set[str] = WORDS) -> list[str]:
    """What 0.1.0 published and is not there, or is another value; and rows that it did not have."""
    told: list[str] = []
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{before}' AS old (READ_ONLY); ATTACH '{after}' AS new (READ_ONLY)")
        new = tables(con, "new")
        for table, columns in sorted(tables(con, "old").items()):
            if table in REDEFINED and table in new:
                continue
            if missing := set(columns) - set(new.get(table, ())):
                told.append(f"{table} lacks {', '.join(sorted(missing))}")
                continue
            named = COMPARED.get(table) or ", ".join(
                f'round("{name}", 6)' if name in OF_THE_PROCESSOR else f'"{name}"'
                for name in columns
                if name not in leave_out
            )
            same = SAME.get(table, "true")
            for here, there in (("old", "new"), ("new", "old")):
                rows = con.execute(
                    f"SELECT {named} FROM {here}.{table} WHERE {same} "
                    f"EXCEPT ALL SELECT {named} FROM {there}.{table} WHERE {same}"
                ).fetchall()
                if rows and (here == "old" or table not in GROWING):
                    told.append(f"{table}: {len(rows)} rows are only in the {here} one, such as {rows[0]}")
    return told


def test_the_directory_holds_something_of_every_kind() -> None:
    """Deleted records, records in quarantine, received bodies and imported records must be taken over too."""
    with duckdb.connect(str(latest(unpacked() / "data") / "mttr.duckdb"), read_only=True) as con:
        counted = "SELECT dq_check, sum(n) FROM data_quality WHERE dq_check IN ('deleted_at_source', 'quarantined') GROUP BY 1"
        found = con.execute(counted).fetchall()
        assert len(found) == 2 and all(n > 0 for _, n in found)
        sources = {source for (source,) in con.execute("SELECT source FROM incidents").fetchall()}
        assert sources == {*CLOUD, "opsgenie_incident", "alertmanager", "custom"}
        runs = con.execute("SELECT source, count(*) FROM source_runs GROUP BY source").fetchall()
        assert dict(runs) == {**dict.fromkeys(CLOUD, 2), "custom": 2, "inbox": 1}


@pytest.mark.parametrize("command", [pytest.param("rebuild", marks=pytest.mark.slow), "run"])
def test_it_publishes_what_0_1_0_published(tmp_path: Path, command: str) -> None:
    """From the landing zone alone, and by a nightly run that finds the working database of the old release."""
    data_dir = copy_of(unpacked() / "data", tmp_path / "data")
    before = latest(data_dir)
    mttr(*without_correlation(tmp_path), "--data-dir", data_dir, command, "--as-of", AS_OF.isoformat()).ended(0)
    assert latest(data_dir) != before
    assert changed(before / "mttr.duckdb", latest(data_dir) / "mttr.duckdb") == []
    assert leftovers(data_dir / "work.duckdb") == []


@pytest.mark.slow
def test_the_next_night_goes_on_where_0_1_0_ended(tmp_path: Path) -> None:
    """Its high-water marks count: the vendors are asked only for what changed, and the result is that of its own third night."""
    data_dir = copy_of(unpacked() / "data", tmp_path / "data")
    seed, until, days, volumes = WORLD
    with VendorServer(World(seed, until, days=days, volumes=volumes), clock=THIRD_NIGHT, limits=None, seed=1) as server:
        options = (*without_correlation(tmp_path), "--data-dir", data_dir)
        mttr(*options, "run", "--as-of", THIRD_NIGHT.isoformat(), env=server.env(*CLOUD)).ended(0)
    expected = unpacked() / "expected" / "third.duckdb"
    assert changed(expected, latest(data_dir) / "mttr.duckdb", WORDS | OF_THE_PULL | NEW_FIELDS) == []
    assert leftovers(data_dir / "work.duckdb") == []


def leftovers(database: Path) -> list[str]:
    """Tables, views and macros in the working database that this release does not make."""
    models = default_catalog()
    made = {model.place for model in models} | {f"main.{name}" for name in re.findall(r"MACRO (\w+)\(", models.macros)}
    with duckdb.connect(str(database), read_only=True) as con:
        found = con.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal "
            "UNION SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal "
            "UNION SELECT schema_name || '.' || function_name FROM duckdb_functions() WHERE NOT internal"
        ).fetchall()
    return sorted({name for (name,) in found if not name.startswith(("config.", "ops."))} - made)


def test_the_old_working_database_holds_what_nobody_makes_now() -> None:
    """Otherwise the tests above would find no leftovers whatever the program does."""
    found = leftovers(unpacked() / "data" / "work.duckdb")
    assert "core.bottlenecks" in found and "main.known_irrelevant" in found
