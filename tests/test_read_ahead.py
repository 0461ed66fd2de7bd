"""Files that are read while others are pulled leave what the load alone leaves; whatever is uncommon about them is left to it."""

from __future__ import annotations

import json
import random
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from support import open_warehouse
from support_e2e import UNTIL

from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing.manifest import LandedFile
from mttr_pipeline.landing.store import Extract, Landing
from mttr_pipeline.warehouse import ahead
from mttr_pipeline.warehouse.ahead import reading_ahead
from mttr_pipeline.warehouse.database import Warehouse
from mttr_pipeline.warehouse.preparation import point_at

Landed = list[tuple[str, LandedFile]]


def incident(chance: random.Random) -> bytes:
    """Few ids and few versions, so that files repeat both, and which one counts hangs on the order of landing."""
    record: dict[str, Any] = {"id": f"P{chance.randint(1, 20)}", "title": f"title {chance.randint(1, 10**6)}"}
    record["created_at"] = chance.choice([*["2026-10-01T08:00:00Z"] * 9, "2026-10-02T08:00:00Z"])
    record["updated_at"] = chance.choice([None, "2026-10-10T00:00:00Z", "2026-10-11T00:00:00Z"])
    return json.dumps(record).encode()


def pull(landing: Landing, chance: random.Random, *, odd: bool) -> None:
    """Windows that are under way at the same time end in any order; one may be landed twice."""
    extract = landing.begin("pagerduty", "run-1", {})
    keys = [f"w{number}" for number in range(8)] + (["w0", "w3"] if odd and chance.random() < 0.5 else [])
    for first in range(0, len(keys), 3):
        stacks = []
        for key in keys[first : first + 3]:
            stack = ExitStack()
            write = stack.enter_context(extract.writing("incidents", key))
            for _ in range(chance.randint(0, 5)):
                write(incident(chance) + (b"}" if odd and chance.random() < 0.02 else b""))
            if odd and chance.random() < 0.1:
                write(chance.choice([b'{"id":"P1","created_at":"never"}', b'{"id":"P2","title":"caf\xe9"}', b"[1]"]))
            stacks.append(stack)
        for stack in chance.sample(stacks, len(stacks)):
            stack.close()
    extract.land("log_entries", "w", [b'{"id":"L1","incident":{"id":"P1"},"created_at":"2026-10-01T08:00:00Z"}'])
    extract.finish(UNTIL)


def contents(warehouse: Warehouse) -> dict[str, list[str]]:
    """Every row that loading writes."""
    names = warehouse.con.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name IN ('raw', 'ops') ORDER BY ALL"
    ).fetchall()
    return {name: sorted(map(repr, warehouse.con.execute(f"FROM {name}").fetchall())) for (name,) in names}


def read(warehouse: Warehouse, landing: Landing, landed: Landed) -> int:
    """What the thread does; gives how many files it read."""
    waiting: SimpleQueue[tuple[str, LandedFile] | None] = SimpleQueue()
    for one in [*landed, None]:
        waiting.put(one)
    ahead._follow(lambda: warehouse, landing, waiting, threading.Event())
    return len({row for table in tables_ahead(warehouse) for row in files_in(warehouse, table)})


def tables_ahead(warehouse: Warehouse) -> list[str]:
    """The tables of what was read and not taken over."""
    found = warehouse.con.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'ahead_%' ORDER BY ALL")
    return [name for (name,) in found.fetchall()]


def files_in(warehouse: Warehouse, table: str) -> list[tuple[str]]:
    """The landing files that its rows came from."""
    return warehouse.con.execute(f"SELECT DISTINCT landed_in FROM {table}").fetchall()


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 60))])
def test_what_is_read_ahead_is_what_the_load_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whatever part of the files is read ahead: repeats keep their order, and no record is lost or counted twice."""
    chance = random.Random(seed)
    landed: Landed = []
    landing = Landing(tmp_path / "landing")
    pull(replace(landing, follower=lambda folder, file: landed.append((folder, file))), chance, odd=seed % 3 > 0)
    (tmp_path / "alone").mkdir()
    (tmp_path / "ahead").mkdir()
    alone = open_warehouse(tmp_path / "alone")
    alone.load(landing)
    expected = contents(alone)
    alone.close()
    assert expected["raw.pagerduty_incidents"]
    warehouse = open_warehouse(tmp_path / "ahead")
    monkeypatch.setattr(ahead, "_MOST_FILES", chance.randint(1, 3))
    if seed % 3 == 0:
        assert read(warehouse, landing, landed) > 3
    else:
        read(warehouse, landing, landed[: chance.randint(2, len(landed))])
    warehouse.load(landing)
    assert contents(warehouse) == expected
    assert not tables_ahead(warehouse)
    warehouse.close()


def test_the_thread_reads_while_the_pull_lands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And lets the connection go when the pull has ended, with as many threads as before."""
    monkeypatch.setattr(ahead, "_FILES", 1)
    landing = Landing(tmp_path / "landing")
    warehouse = open_warehouse(tmp_path)
    before = warehouse.con.execute("SELECT current_setting('threads')").fetchall()
    with reading_ahead(lambda: warehouse, landing) as followed:
        extract = followed.begin("pagerduty", "run-1", {})
        taken = threading.Event()
        monkeypatch.setattr(ahead, "_read", told(ahead._read, taken))
        extract.land("incidents", "w", [incident(random.Random(1))])
        assert taken.wait(60)
        extract.finish(UNTIL)
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]
    assert tables_ahead(warehouse) == ["ahead_pagerduty_incidents"]
    assert warehouse.con.execute("SELECT current_setting('threads')").fetchall() == before
    (tmp_path / "landing/pagerduty/run-1/incidents/00001.jsonl.zst").rename(tmp_path / "kept")
    with pytest.raises(
        ContractError, match="is missing or was changed"
    ):  # to have read it is no reason to do without it
        warehouse.load(landing)
    (tmp_path / "kept").rename(tmp_path / "landing/pagerduty/run-1/incidents/00001.jsonl.zst")
    assert warehouse.load(landing) == 1
    warehouse.close()


def told(function: Any, event: threading.Event) -> Any:
    """The function, and a sign that it has been called."""

    def called(*arguments: Any) -> None:
        function(*arguments)
        event.set()

    return called


def test_a_pull_that_fails_leaves_nothing_to_the_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its extract is not complete, however much of it was read."""
    landing, landed = Landing(tmp_path / "landing"), []  # type: ignore[var-annotated]
    monkeypatch.setattr(ahead, "_MOST_FILES", 1)
    extract = replace(landing, follower=lambda *file: landed.append(file)).begin("pagerduty", "run-1", {})
    extract.land("incidents", "w", [incident(random.Random(1))])
    extract.fail("the vendor is down")
    warehouse = open_warehouse(tmp_path)
    assert read(warehouse, landing, landed) == 1
    assert warehouse.load(landing) == 0
    assert warehouse.con.execute("SELECT count(*) FROM raw.pagerduty_incidents").fetchall() == [(0,)]
    assert not tables_ahead(warehouse)
    warehouse.close()


def test_an_interrupt_ends_the_reading(tmp_path: Path) -> None:
    """The pull hears the signal; the thread has to end although the pull does not say how."""
    landing = Landing(tmp_path / "landing")
    warehouse = open_warehouse(tmp_path)
    with pytest.raises(KeyboardInterrupt), reading_ahead(lambda: warehouse, landing):
        raise KeyboardInterrupt
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]
    warehouse.close()


def test_a_warehouse_that_does_not_open_is_told_by_whoever_uses_it(tmp_path: Path) -> None:
    """A pull does not need it, and must not fail for it."""

    def closed() -> Warehouse:
        raise ContractError("The working database is in use.")

    landing = Landing(tmp_path / "landing")
    with reading_ahead(closed, landing) as followed:
        extract = followed.begin("pagerduty", "run-1", {})
        extract.land("incidents", "w", [incident(random.Random(1))])
        assert extract.finish(UNTIL).records == 1


def test_tables_by_record_are_made_of_one_record_a_row(tmp_path: Path) -> None:
    """The header says so, and files could not be read one after the other otherwise: the rows of two files together are those of
    each."""
    landing, chance = Landing(tmp_path / "landing"), random.Random(5)
    warehouse = open_warehouse(tmp_path)
    models = [model for model in warehouse.catalog.of_layer("raw") if model.by_record]
    assert {model.stream for model in models} >= {"incidents", "log_entries"}
    for model in models:
        extract: Extract = landing.begin(model.source or "", "run-1", {})
        for window in range(3):
            extract.land(model.stream or "", str(window), [incident(chance) for _ in range(5)])
        files = sorted(map(str, (extract.folder / (model.stream or "")).glob("*.zst")))

        def rows(paths: list[str], sql: str = model.sql) -> list[str]:
            point_at(warehouse.con, paths, landing.root)
            return sorted(map(repr, warehouse.con.execute(sql).fetchall()))

        assert rows(files) == sorted(row for file in files for row in rows([file]))
    warehouse.close()
