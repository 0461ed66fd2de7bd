"""Reads landing files while others are still pulled: most records of a first pull are typed by the time it ends.

The rows wait in temporary tables of the one connection, which nobody else uses meanwhile, and count for nothing until their extract
is complete and the load takes them over (`take`) in place of reading their files. Whatever is uncommon is left to the load: tables
that look at more than one record at a time, records with bad characters, files that cannot be read, an extract beyond a limit.

What belongs here: what is read before its time, and when that may be used. What does not: what becomes of the rows (`streams`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING

import duckdb

from mttr_pipeline.errors import MttrError
from mttr_pipeline.landing.manifest import LandedFile
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.models import Model
from mttr_pipeline.warehouse.preparation import point_at

if TYPE_CHECKING:
    from mttr_pipeline.warehouse.database import Warehouse

TABLES = "CREATE TEMP TABLE IF NOT EXISTS ahead (name VARCHAR, path VARCHAR)"
_FILES = 6  # read by one statement: to plan one takes as long as to read a file or two
_MOST = 64_000_000  # compressed bytes of a pull, as many as are loaded together


@contextmanager
def reading_ahead(opening: Callable[[], Warehouse], landing: Landing) -> Iterator[Landing]:
    """The landing zone for a pull; what it lands is read meanwhile, in another thread, as soon as the warehouse is open.

    Nobody else may use the connection of the warehouse inside. Afterwards it is free again, and the last files are left to the load.
    """
    landed: SimpleQueue[tuple[str, LandedFile] | None] = SimpleQueue()
    ended = threading.Event()
    reader = threading.Thread(target=_follow, args=(opening, landing, landed.get, ended), name="ahead")
    reader.start()
    try:
        yield replace(landing, follower=lambda folder, file: landed.put((folder, file)))
    finally:
        ended.set()
        landed.put(None)
        reader.join()


def _follow(
    opening: Callable[[], Warehouse],
    landing: Landing,
    wait: Callable[[], tuple[str, LandedFile] | None],
    ended: threading.Event,
) -> None:
    """Read what is landed until the pull has ended.

    What can go wrong with files, disk and database goes wrong again where it is told: in the load, which reads what is not taken
    over. Anything else is a mistake in this module and is shown as such, by the thread.
    """
    with suppress(MttrError, duckdb.Error, OSError):
        warehouse = opening()
        con = warehouse.con
        models = {(model.source, model.stream): model for model in warehouse.catalog.of_layer("raw") if model.by_record}
        waiting: dict[str, list[str]] = {}
        size = 0
        con.execute("SET threads = 1")  # the pull needs the other core
        try:
            while (landed := wait()) and not ended.is_set():
                folder, file = landed
                model = models.get((folder.partition("/")[0], file.stream))
                size += file.bytes
                if model is None or not file.records or file.marked or size > _MOST:
                    continue
                paths = waiting.setdefault(model.name, [])
                paths.append(f"{folder}/{file.file}")
                if len(paths) == _FILES:
                    _read(con, model, landing, waiting.pop(model.name))
        finally:
            con.execute("RESET threads")


def _read(con: duckdb.DuckDBPyConnection, model: Model, landing: Landing, paths: list[str]) -> None:
    point_at(con, [str(landing.root / path) for path in paths], landing.root)
    begun = con.execute("SELECT 1 FROM ahead WHERE name = ?", [model.name]).fetchall()
    table = _table(model.name)
    con.execute(f"INSERT INTO {table} {model.sql}" if begun else f"CREATE OR REPLACE TEMP TABLE {table} AS {model.sql}")
    con.execute("INSERT INTO ahead SELECT ?, unnest(?)", [model.name, paths])


def take(con: duckdb.DuckDBPyConnection, model: Model, paths: set[str], table: str) -> set[str]:
    """Make of what was read of these files the temporary table `table`, and give the files; none where there is nothing of use.

    Nothing is of use when it holds more than these files, as after a window that was landed twice.
    """
    read = {path for (path,) in con.execute("SELECT path FROM ahead WHERE name = ?", [model.name]).fetchall()}
    if not read or not read <= paths:
        return set()
    if {path for (path,) in con.execute(f"SELECT DISTINCT landed_in FROM {_table(model.name)}").fetchall()} != read:
        return set()
    con.execute(f"DROP TABLE IF EXISTS {table}")
    con.execute(f"ALTER TABLE {_table(model.name)} RENAME TO {table}")
    con.execute("DELETE FROM ahead WHERE name = ?", [model.name])
    return read


def forget(con: duckdb.DuckDBPyConnection) -> None:
    """Drop what no load took."""
    for (name,) in con.execute("SELECT DISTINCT name FROM ahead").fetchall():
        con.execute(f"DROP TABLE IF EXISTS {_table(name)}")
    con.execute("DELETE FROM ahead")


def _table(name: str) -> str:
    return f"ahead_{name}"
