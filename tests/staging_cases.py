"""Runs the cases of `fixtures/staging`: landed lines in, rows of staging tables out.

A case is a folder `<source>/<name>/`:

    case.toml              `why`: what would go wrong without the case; `[settings]`: an mttr.toml, when it needs one
    1/<stream>.jsonl       the lines of the first extract, as they stand in the landing zone; 2/, 3/ are later ones
    <schema>.<table>.csv   the rows expected of that table, in any order; the header names the columns that are compared

A new case is a new folder. `python tests/staging_cases.py <source>/<name>` writes its CSV files from what comes out now,
keeping the columns that a file already names: read them before you commit them.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support import settings_for

from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse

FOLDER = Path(__file__).parent / "fixtures" / "staging"
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
SHOWN = {
    "events": ("external_id", "happened_at", "event_type", "vendor_type", "actor", "actor_kind", "provenance"),
    "records": ("external_id", "title", "severity", "severity_source", "vendor_status", "service", "team"),
    "quarantine": ("stream", "external_id", "reason"),
}


def cases(source: str) -> list[str]:
    """The names of a source's cases."""
    return sorted(path.parent.name for path in (FOLDER / source).glob("*/case.toml"))


def staging_of(source: str) -> list[str]:
    """The staging tables of a source."""
    return [model.table for model in default_catalog().of_layer("staging") if model.account == source]


@contextmanager
def built(
    source: str, extracts: list[dict[str, list[bytes]]], settings: dict[str, Any], folder: Path
) -> Iterator[Warehouse]:
    """A warehouse into which the extracts (stream -> lines) were loaded, with all staging tables of the source."""
    folder.mkdir(exist_ok=True)
    landing = Landing(folder / "landing")
    for number, streams in enumerate(extracts, 1):
        extract = landing.begin(source, f"run-{number}", {"extract": number})
        for stream, lines in streams.items():
            extract.land(stream, "all", lines)
        extract.finish(AS_OF)
    options = settings_for(folder, settings)
    warehouse = Warehouse(folder / "work.duckdb", options, AS_OF, "run")
    try:
        warehouse.load(landing)
        tables = staging_of(source)
        needed = set(tables).union(*(default_catalog().upstream(table) for table in tables))
        for model in default_catalog():
            if model.table in needed:
                warehouse.build(model)
        yield warehouse
    finally:
        warehouse.close()


@contextmanager
def built_case(source: str, name: str, folder: Path) -> Iterator[Warehouse]:
    """The same for a case."""
    path = FOLDER / source / name
    extracts = [
        {file.stem: file.read_bytes().splitlines() for file in sorted(number.glob("*.jsonl"))}
        for number in sorted(path.glob("[0-9]"))
    ]
    about = tomllib.loads((path / "case.toml").read_text(encoding="utf-8"))
    assert about["why"]
    with built(source, extracts, about.get("settings", {}), folder) as warehouse:
        yield warehouse


def run_case(source: str, name: str, folder: Path) -> None:
    """Every expected table, every promise in the headers of the tables, and the count of the records."""
    with built_case(source, name, folder) as warehouse:
        expectations = sorted((FOLDER / source / name).glob("*.csv"))
        assert expectations, "a case without expectations says nothing"
        for file in expectations:
            with file.open(encoding="utf-8", newline="") as lines:
                header, *expected = list(csv.reader(lines))
            assert _rows(warehouse, file.stem, header) == sorted(expected), file.name
        check_promises(warehouse, source)


def check_promises(warehouse: Warehouse, source: str) -> None:
    """Not-null, unique and assert of every table of the source; and that no landed record is missing from the counts."""
    for model in default_catalog():
        if model.table in staging_of(source):
            assert [c for c in warehouse.check(model) if not c.passed] == [], model.table
    uncounted = "SELECT * FROM ops.loads WHERE fetched <> normalised + duplicates + quarantined"
    assert warehouse.con.execute(uncounted).fetchall() == []


def _rows(warehouse: Warehouse, table: str, columns: list[str]) -> list[list[str]]:
    shown = ", ".join(f"coalesce(CAST({column} AS VARCHAR), '')" for column in columns)
    return sorted([list(row) for row in warehouse.con.execute(f"SELECT {shown} FROM {table}").fetchall()])


def _write(source: str, name: str) -> None:
    """Write the expectations of a case from what comes out; `quarantine` only where there is any."""
    with tempfile.TemporaryDirectory() as folder, built_case(source, name, Path(folder)) as warehouse:
        for table in [*staging_of(source), "ops.quarantine"]:
            path = FOLDER / source / name / f"{table}.csv"
            kind = table.rpartition("_")[2].rpartition(".")[2]
            header = path.read_text(encoding="utf-8").splitlines()[0].split(",") if path.exists() else SHOWN.get(kind)
            if not header or not (rows := _rows(warehouse, table, list(header))):
                continue
            with path.open("w", encoding="utf-8", newline="") as out:
                csv.writer(out, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        _write(*argument.split("/")[-2:])
