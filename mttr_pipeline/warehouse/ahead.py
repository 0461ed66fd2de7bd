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

#: Files that are read by one statement: to plan one takes as long as to read two. With 16 at most, a pull needs 20 MiB more.
_FILES, _MOST_FILES = 6, 12
_MOST = 64_000_000  # compressed bytes of a pull, as many as are loaded together


@contextmanager
def reading_ahead(opening: Callable[[], Warehouse], landing: Landing) -> Iterator[Landing]:
    """The landing zone for a pull; what it lands is read meanwhile, in another thread, as soon as the warehouse is open.

    Nobody else may use the connection of the warehouse inside. Afterwards it is free again, and the last files are left to the load.
    """
    landed: SimpleQueue[tuple[str, LandedFile] | None] = SimpleQueue()
    ended = threading.Event()
    reader = threading.Thread(target=_follow, args=(opening, landing, landed, ended), name="ahead")
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
    landed: SimpleQueue[tuple[str, LandedFile] | None],
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
        begun: set[str] = set()
        size = 0
        threads = con.execute("SELECT current_setting('threads')").fetchall()[0][0]
        con.execute("SET threads = 1")  # the pull needs the other core
        try:
            while (one := landed.get()) and not ended.is_set():
                folder, file = one
                model = models.get((folder.partition("/")[0], file.stream))
                size += file.bytes
                if model is None or not file.records or file.marked or size > _MOST:
                    continue
                paths = waiting.setdefault(model.name, [])
                paths.append(f"{folder}/{file.file}")
                if len(paths) == _MOST_FILES or (len(paths) >= _FILES and landed.empty()):
                    _read(con, model, landing, waiting.pop(model.name), model.name not in begun)
                    begun.add(model.name)
        finally:
            con.execute(f"SET threads = {threads}")


def _read(con: duckdb.DuckDBPyConnection, model: Model, landing: Landing, paths: list[str], anew: bool) -> None:
    point_at(con, [str(landing.root / path) for path in paths], landing.root)
    table = _table(model.name)
    con.execute(f"{f'CREATE OR REPLACE TEMP TABLE {table} AS' if anew else f'INSERT INTO {table}'} {model.sql}")


def take(con: duckdb.DuckDBPyConnection, model: Model, paths: set[str], table: str) -> set[str]:
    """Make of what was read of these files the temporary table `table`, and give the files; none where there is nothing of use.

    Nothing is of use when it holds more than these files, as after a window that was landed twice.
    """
    name = _table(model.name)
    if name not in _tables(con):
        return set()
    read = {path for (path,) in con.execute(f"SELECT DISTINCT landed_in FROM {name}").fetchall()}
    if not read <= paths:
        return set()
    con.execute(f"DROP TABLE IF EXISTS {table}")
    con.execute(f"ALTER TABLE {name} RENAME TO {table}")
    return read


def forget(con: duckdb.DuckDBPyConnection) -> None:
    """Drop what no load took."""
    for name in _tables(con):
        con.execute(f"DROP TABLE {name}")


def _tables(con: duckdb.DuckDBPyConnection) -> set[str]:
    found = con.execute("SELECT table_name FROM duckdb_tables() WHERE temporary AND starts_with(table_name, 'ahead_')")
    return {name for (name,) in found.fetchall()}


def _table(name: str) -> str:
    return f"ahead_{name}"
