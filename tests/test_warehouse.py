"""The working database itself: which file a table is in, what outlives a connection, and what an earlier release left behind."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pytest
from support import AS_OF_US, build_all, copy_database, file_size_limit, iso, land_custom, open_warehouse, rows

from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.publish import latest, publish
from mttr_pipeline.warehouse.catalog import default_catalog

MODELS = default_catalog()
HOUR, MINUTE = 3_600_000_000, 60_000_000
HISTORY = [
    {
        "external_id": f"INC-{number}",
        "title": f"incident {number}",
        "severity": "SEV2",
        "service": f"service {number % 7}",
        "detected_at": iso(AS_OF_US - (50 + number) * HOUR),
        "resolved_at": iso(AS_OF_US - (50 + number) * HOUR + (1 + number % 90) * MINUTE),
    }
    for number in range(2_000)
]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    found = Landing(tmp_path_factory.mktemp("landed") / "landing")
    land_custom(found, HISTORY)
    return found


@pytest.fixture(scope="module")
def built(landing: Landing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a working database in which every table was built, and published once."""
    folder = tmp_path_factory.mktemp("built")
    a_night(folder, landing, "run-1")
    return folder


def a_night(folder: Path, landing: Landing, run_id: str) -> None:
    warehouse = open_warehouse(folder, run_id=run_id)
    try:
        warehouse.load(landing)
        build_all(warehouse)
        publish(warehouse, folder / "published", run_id)
    finally:
        warehouse.close()


@pytest.mark.slow
def test_the_published_file_does_not_grow_from_night_to_night(built: Path, landing: Path, tmp_path: Path) -> None:
    """It is the file in which the tables were made; made anew in the old one, they would leave holes as large as themselves."""
    copy_database(built, tmp_path)
    for run_id in ("run-2", "run-3"):
        a_night(tmp_path, landing, run_id)
    first, third = (blocks(latest(folder) / "mttr.duckdb") for folder in (built / "published", tmp_path / "published"))
    assert first["free_blocks"] == third["free_blocks"] == 0, "holes"
    # DuckDB packs the ends of columns in the order in which its threads finish: one block more or less.
    assert abs(third["total_blocks"] - first["total_blocks"]) <= 1


def blocks(file: Path) -> dict[str, int]:
    with duckdb.connect(str(file), read_only=True) as con:
        (size,) = rows(con, "FROM pragma_database_size()")
    return size


def test_facts_are_made_again_by_whoever_needs_them(built: Path, tmp_path: Path) -> None:
    """They are in no file, but somebody may materialise a single table by hand, in a process of its own."""
    facts = {model.table for model in MODELS if model.schema == "facts"}
    of_pulls = {model.table for model in MODELS if "ops." in model.sql}  # a run knows of those it has loaded
    copy_database(built, tmp_path)
    for model in MODELS:
        made_of = MODELS.upstream(model.table) | {model.table}
        if model.view or model.schema == "facts" or of_pulls & made_of or not facts & made_of:
            continue
        warehouse = open_warehouse(tmp_path, run_id="by hand")
        try:
            before = warehouse.con.execute(f"FROM {model.place} ORDER BY ALL").fetchall()
            warehouse.build(model)
            assert warehouse.con.execute(f"FROM {model.place} ORDER BY ALL").fetchall() == before, model.table
        finally:
            warehouse.close()


def test_a_table_that_is_a_view_now_is_made_anew(built: Path, tmp_path: Path) -> None:
    """Somebody may materialise it by hand in the file of an earlier release, which stored it."""
    copy_database(built, tmp_path)
    with duckdb.connect(str(tmp_path / "work.mart.duckdb")) as con:
        con.execute("DROP VIEW analysed_incidents; CREATE TABLE analysed_incidents AS SELECT 1 AS a")
    warehouse = open_warehouse(tmp_path, run_id="by hand")
    try:
        assert warehouse.build(MODELS["mart.analysed_incidents"]) > 0
    finally:
        warehouse.close()


def test_facts_follow_the_incidents_they_are_made_of(built: Path, tmp_path: Path) -> None:
    """Within one run, too: facts of the incidents of before would give the figures of before."""
    copy_database(built, tmp_path)
    warehouse = open_warehouse(tmp_path)
    try:
        warehouse.build(MODELS["mart.mttr_stats"])
        warehouse.con.execute("DELETE FROM core.vendor_records WHERE external_id <> 'INC-1'")
        for table in ("core.standalone", "core.incidents", "mart.mttr_stats"):
            warehouse.build(MODELS[table])
        query = "SELECT incidents_matched FROM mart.mttr_stats WHERE scope = 'all' AND window_start IS NULL"
        assert set(warehouse.con.execute(query).fetchall()) == {(1,)}
    finally:
        warehouse.close()


@pytest.mark.parametrize("left", [b"garbage" * 1000, b"", None])
def test_a_torn_mart_is_begun_anew(built: Path, landing: Landing, tmp_path: Path, left: bytes | None) -> None:
    """The power went while the file was written: nobody has to delete anything, and what is gone is not published."""
    copy_database(built, tmp_path)
    (tmp_path / "work.mart.duckdb").unlink()
    if left is not None:
        (tmp_path / "work.mart.duckdb").write_bytes(left)
    warehouse = open_warehouse(tmp_path)
    try:
        assert {table for table in warehouse.not_of_this_run() if table.startswith("mart.")} == {
            model.table for model in MODELS if model.schema == "mart"
        }
        with pytest.raises(ContractError, match="run the whole job"):
            publish(warehouse, tmp_path / "published", "run-1")
    finally:
        warehouse.close()
    if left:  # the next night begins a new file in each case, see `Warehouse.load`: one shows it
        a_night(tmp_path, landing, "run-2")


def test_a_full_disk_is_one_sentence_and_the_next_try_opens_the_file(tmp_path: Path) -> None:
    """In the same process: a connection that stays open would keep the file."""
    with (
        file_size_limit(20_000),
        pytest.raises(ContractError, match=r"work.duckdb cannot be written .*free the disk") as told,
    ):
        open_warehouse(tmp_path)
    assert "\n" not in str(told.value)
    open_warehouse(tmp_path).close()


@pytest.mark.parametrize("torn", ["random", "truncated", "log"])
def test_a_torn_database_is_made_anew_from_the_landing_zone(
    built: Path, landing: Landing, tmp_path: Path, capsys: pytest.CaptureFixture[str], torn: str
) -> None:
    """All of it comes from the landing zone, so nobody has to delete a file by hand; the log says what happened."""
    copy_database(built, tmp_path)
    path = tmp_path / "work.duckdb"
    if torn == "log":
        path.with_name("work.duckdb.wal").write_bytes(random.Random(1).randbytes(50_000))
    else:
        path.write_bytes(random.Random(1).randbytes(50_000) if torn == "random" else path.read_bytes()[:20_000])
    warehouse = open_warehouse(tmp_path)
    try:
        read_again = warehouse.load(landing)
    finally:
        warehouse.close()
    said = capsys.readouterr().err
    if torn == "log":  # DuckDB leaves out what it cannot read of a log, and the tables were whole without it
        assert (read_again, said) == (0, "")
    else:
        assert read_again == len(HISTORY)
        assert said.count("is damaged") == 1 and "it is made anew from the landing zone" in said


@pytest.mark.slow
def test_a_file_of_an_earlier_release_is_taken_over(landing: Landing, tmp_path: Path) -> None:
    """The mart used to be a schema of the one file, some tables lived elsewhere, and what is a view now was stored."""
    with duckdb.connect(str(tmp_path / "work.duckdb")) as con:
        con.execute(
            "CREATE SCHEMA mart; CREATE TABLE mart.incidents AS SELECT 1 AS a; CREATE VIEW mart.v AS FROM mart.incidents"
        )
        con.execute(
            "CREATE SCHEMA core; CREATE TABLE core.incidents AS SELECT 1 AS a; CREATE TABLE core.phases AS SELECT 1 AS a"
        )
        con.execute("CREATE VIEW core.targets AS FROM core.phases")
    a_night(tmp_path, landing, "run-1")
    assert latest(tmp_path / "published") == (tmp_path / "published" / "run-1").resolve()
    with duckdb.connect(str(tmp_path / "work.duckdb")) as con:
        found = con.execute(
            "SELECT table_schema || '.' || table_name, table_type FROM information_schema.tables"
        ).fetchall()
    kept = {table: kind for table, kind in found if table.startswith(("core.", "mart.", "staging."))}
    assert kept == {
        model.table: "VIEW" if model.view else "BASE TABLE"
        for model in MODELS
        if model.schema in ("core", "staging") and not model.published
    }


def test_row_groups_are_small_also_in_a_file_of_an_earlier_release(tmp_path: Path) -> None:
    """Rows of one that is not full are written twice. A file keeps those that it has, of the size that DuckDB takes by itself."""
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{tmp_path / 'work.duckdb'}' AS work")
        con.execute("CREATE TABLE work.main.old AS SELECT range AS n FROM range(130_000)")
    warehouse = open_warehouse(tmp_path)
    con = warehouse.con
    con.execute("INSERT INTO work.main.old SELECT range FROM range(130_000, 330_000)")
    con.execute("CREATE TABLE work.main.new AS SELECT range AS n FROM range(130_000)")
    count = "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('work.main.{}')"
    assert con.execute(count.format("new")).fetchall() == [(3,)]
    assert con.execute("SELECT count(*), sum(n) FROM work.main.old").fetchall() == [(330_000, sum(range(330_000)))]
    warehouse.close()
    again = open_warehouse(tmp_path)
    assert again.con.execute("SELECT count(*), sum(n) FROM work.main.old").fetchall() == [
        (330_000, sum(range(330_000)))
    ]
    again.close()
