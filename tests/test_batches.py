"""Extracts that are loaded together leave the same rows as one after the other, in the same order; one that cannot be loaded does
not keep the others out."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import open_warehouse, settings_for
from support_e2e import UNTIL

from mttr_pipeline.errors import ContractError
from mttr_pipeline.intake.importer import import_files
from mttr_pipeline.landing.completed import FILE
from mttr_pipeline.landing.store import Landing, tombstone
from mttr_pipeline.warehouse import loading
from mttr_pipeline.warehouse.columns import columns_of
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.loading import create_raw_tables, load


def night(landing: Landing, number: int, chance: random.Random, folder: Path) -> None:
    """What one night may bring: repeats, older and undated versions, rejects, bad characters, deletions, files of users."""
    run = f"run-{number:02d}"

    def incident() -> bytes:
        record: dict[str, Any] = {"id": f"P{chance.randint(1, 6)}", "title": f"{run} {chance.randint(1, 99)}"}
        record["created_at"] = chance.choice(["2026-10-01T08:00:00Z", "2026-10-01T08:00:00Z", "never"])
        record["updated_at"] = chance.choice([None, *(f"2026-10-{day:02d}T00:00:00Z" for day in range(10, 20))])
        return json.dumps(record).encode() + chance.choice([b"", b"", b"", b"}"])

    extract = landing.begin("pagerduty", run, {"mode": "incremental"})
    for window in range(chance.randint(0, 2)):
        extract.land("incidents", f"w{window}", [incident() for _ in range(chance.randint(0, 4))])
    entries = [
        b'{"id":"L%d","note":"caf\xe9"}' % chance.randint(1, 3),
        b'{"id":"L1","note":"\xef\xbf\xbd","incident":{"id":"P1"}}',
    ]
    extract.land("log_entries", "w", chance.sample(entries, chance.randint(0, 2)))
    gone = [tombstone("incidents", f"P{chance.randint(1, 6)}", UNTIL) for _ in range(chance.randint(0, 2))]
    extract.land("tombstones", "w", [*gone, b'{"id":"P1"}'])
    extract.finish(UNTIL)
    lines = ["external_id,title,detected_at"]
    for _ in range(3):
        lines.append(f"A{chance.randint(1, 3)},{run},{chance.choice(['2026-10-01T08:00:00Z', 'never'])}")
    file = folder / chance.choice(["a.csv", "b.csv"])
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    import_files([file], landing, run, accounts=settings_for(folder).accounts)


def contents(warehouse: Warehouse) -> dict[str, list[Any]]:
    """Every row that loading writes, those of raw tables in their order."""
    names = warehouse.con.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name IN ('raw', 'ops') ORDER BY ALL"
    ).fetchall()
    found = {name: warehouse.con.execute(f"FROM {name}").fetchall() for (name,) in names}
    # Before 2.0, DuckDB does not keep the order of landing across files; which row of a key is kept does not hang on it.
    ordered = "raw." if duckdb.__version__ >= "2" else "?"
    return {name: rows if name.startswith(ordered) else sorted(map(repr, rows)) for name, rows in found.items()}


class Until(Landing):
    """The landing zone as it was after some of its extracts."""

    seen = 0

    def manifests(self, source: str | None = None) -> Any:
        return super().manifests(source)[: self.seen]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
def test_nights_together_are_nights_one_after_the_other(tmp_path: Path, seed: int) -> None:
    """Row for row: a rebuild must say what the nights said."""
    landing, chance = Landing(tmp_path / "landing"), random.Random(seed)
    for number in range(5 if seed == 1 else 12):
        night(landing, number, chance, tmp_path)
    warehouse = open_warehouse(tmp_path)
    nights = Until(landing.root)
    for nights.seen in range(1, len(landing.manifests()) + 1):
        (tmp_path / FILE).unlink(missing_ok=True)  # on the first night, nobody knew of the later ones
        load(warehouse.con, warehouse.catalog, nights)
    one_by_one = contents(warehouse)
    assert one_by_one["raw.pagerduty_incidents"]
    assert one_by_one["ops.quarantine"]
    warehouse.start_over()
    warehouse.load(landing)
    assert contents(warehouse) | {"ops.fingerprint": one_by_one["ops.fingerprint"]} == one_by_one
    warehouse.close()


def test_an_extract_that_does_not_add_up_keeps_no_older_one_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are read by one statement, and only one of them is wrong."""
    landing = Landing(tmp_path / "landing")
    for number in range(4):
        extract = landing.begin("pagerduty", f"run-{number}", {})
        extract.land("teams", "w", [b'{"id":"T%d"}' % number])
        if number == 2:
            key = ("teams", "w")
            extract._files[key] = type(extract._files[key])(**{**_fields(extract._files[key]), "records": 3})
        extract.finish(UNTIL)
    warehouse = open_warehouse(tmp_path)
    with pytest.raises(ContractError, match="run-2: 3 records were landed in teams but 1 can be read back"):
        warehouse.load(landing)
    assert warehouse.con.execute("SELECT external_id FROM raw.pagerduty_teams ORDER BY 1").fetchall() == [
        ("T0",),
        ("T1",),
    ]
    (landing.root / "pagerduty" / "run-2").rename(tmp_path / "moved away")
    (tmp_path / FILE).unlink()
    monkeypatch.setattr(loading, "TOGETHER", 1)  # any extract has more: each is loaded for itself
    assert warehouse.load(landing) == 1
    warehouse.close()


def _fields(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__struct_fields__}


def test_an_empty_raw_table_has_the_types_of_its_sql(tmp_path: Path) -> None:
    """A new working database makes these tables of what is known: a wrong type would change what is loaded into them. A table whose
    SQL was changed since is made of its SQL."""
    warehouse = open_warehouse(tmp_path)
    raw = warehouse.catalog.of_layer("raw")
    known = {model.table: warehouse.columns(model) for model in raw}
    assert all(columns_of(warehouse.catalog, model).types == known[model.table] for model in raw)
    warehouse.con.execute("DROP SCHEMA raw CASCADE; CREATE SCHEMA raw")
    create_raw_tables(warehouse.con, raw)
    assert {model.table: warehouse.columns(model) for model in raw} == known
    teams = warehouse.catalog["raw.pagerduty_teams"]
    changed = replace(teams, sql=f"SELECT *, 1::BIGINT AS added FROM ({teams.sql})")
    warehouse.con.execute(f"DROP TABLE {teams.table}")
    create_raw_tables(warehouse.con, [changed], warehouse.catalog)
    assert warehouse.columns(changed) == known[teams.table] | {"added": "BIGINT"}
    warehouse.close()
