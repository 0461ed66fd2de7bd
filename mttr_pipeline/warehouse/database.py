"""The private working database: builds the tables of `sql/` from what was loaded and runs their checks.

One writer, one connection, two files: `work.duckdb`, and beside it `work.mart.duckdb` with the tables that readers get. The
mart is a file of its own, in the format for readers, so that publishing copies a file and no row is written twice. Facts, the
narrow tables with a row per incident, are in no file: to store them takes three times as long as to make them. Nothing here
knows a vendor's field or a metric: those are in the SQL files. Readers never open these files, only a published copy (see
`publish`).
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from string import Template

import duckdb

from mttr_pipeline import interrupts
from mttr_pipeline.config.definitions import variants_in_force
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ContractError, first_line, is_of_the_disk
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse import loading
from mttr_pipeline.warehouse.catalog import catalog
from mttr_pipeline.warehouse.checks import CheckResult, run_checks
from mttr_pipeline.warehouse.fingerprint import definition_hash
from mttr_pipeline.warehouse.models import MART, Model, load_macros
from mttr_pipeline.warehouse.people import pseudonyms
from mttr_pipeline.warehouse.preparation import prepare, quoted
from mttr_pipeline.warehouse.shown import brings_texts, for_readers
from mttr_pipeline.warehouse.transaction import transaction

STORAGE_VERSION = "v1.2.0"  # of the mart: every DuckDB from 1.2.2 on opens it, 2.0 included

#: Rows of a row group of the working database, half as many as DuckDB takes: a whole one is written to its place at once, all other
#: rows go through the log of writes first.
_ROW_GROUP = 61_440

INCIDENTS = "core.incidents"

#: Parts of DuckDB's messages about a file that is whole: another process has it, this user may not, the machine is full.
_NOT_TORN = (
    *("Could not set lock", "Permission denied", "Read-only file system", "Cannot open file", "Is a directory"),
    *("No space left", "Could not write file", "Out of Memory"),
)

# Full-width letters and signs: what Unicode NFKC makes of them is the most that DuckDB lacks.
_WIDE_LETTERS = "".join(map(chr, range(0xFF01, 0xFF5F)))

# Models name their schema; the analysts' macros name their tables without one.
_SEARCH_PATH = "SET search_path = 'work.main,mart.main'"


class Warehouse:
    """A connection to `work.duckdb`, set up so that every model can run.

    `as_of` is the clock of the run. A file that is torn is begun anew, because everything in it is made from the landing zone.
    Raises ContractError when a file is in use or cannot be read, or when the disk is full.
    """

    def __init__(self, path: Path, settings: Settings, as_of: datetime, run_id: str) -> None:
        self.path, self.settings, self.run_id = path, settings, run_id
        self.mart_path = path.with_suffix(f".mart{path.suffix}")
        self.as_of = as_of.astimezone(UTC)
        self.catalog = catalog(settings.accounts)
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        interrupts.tell(self.interrupt)
        try:
            with _explained_if_full(path):
                self._open_or_begin_anew()
                self._prepare()
        except BaseException:
            self.con.close()  # the next try in this process would find the file in use
            raise

    def _open_or_begin_anew(self) -> None:
        try:
            self._open()
        except (ContractError, duckdb.Error) as error:
            self.con.close()
            if isinstance(error, duckdb.InterruptException) or any(sign in str(error) for sign in _NOT_TORN):
                raise
            print(
                f"The working database {self.path} is damaged ({first_line(error)}); it is made anew from the landing zone.",
                file=sys.stderr,
                flush=True,
            )
            _delete(self.path)
            self._open()

    def _prepare(self) -> None:
        prepare(
            self.con,
            self.settings,
            self.as_of,
            self.catalog.macros,
            definition_hash(self.catalog, self.settings),
            pseudonyms(self.settings),
        )
        loading.start_over_if_outdated(self.con, self.catalog, self.settings)
        loading.create_raw_tables(self.con, self.catalog.of_layer("raw"), self.catalog)

    def _open(self) -> None:
        """Connect, and have the schemas that everything else needs. Fails where a file is torn."""
        self.con = duckdb.connect(config={"autoinstall_known_extensions": False})
        self._attach(self.path, "work", f"(ROW_GROUP_SIZE {_ROW_GROUP})")
        self._open_mart()
        self.con.execute("ATTACH ':memory:' AS facts")
        self._facts: set[str] = set()
        self._set_options()
        with transaction(self.con):
            schemas = (f"CREATE SCHEMA IF NOT EXISTS {name}" for name in ("raw", "staging", "core", "figures"))
            self.con.execute("; ".join([loading.OPS, *schemas]))
        if not self.con.execute("SELECT 1 FROM duckdb_tables() WHERE database_name = 'mart'").fetchall():
            self.con.execute("DELETE FROM ops.builds WHERE table_name LIKE 'mart.%'")
        self._drop_leftovers()

    def close(self) -> None:
        """Close the connection; the files are free for other programs then."""
        self.con.close()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection to the same database for another thread. `interrupt` reaches it too."""
        self._cursors.append(self.con.cursor())
        return self._cursors[-1]

    def interrupt(self) -> None:
        """End the queries under way: they raise duckdb.InterruptException. From any thread.

        DuckDB does not end a query for an exception of a signal's handler, it only raises it afterwards.
        """
        for con in (self.con, *self._cursors):
            con.interrupt()

    def _set_options(self) -> None:
        amount, unit = str(self.con.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]).split()
        options = {
            "TimeZone": "UTC",
            "preserve_insertion_order": "true",
            "enable_progress_bar": "false",
            "memory_limit": f"{float(amount) / 2} {unit}",  # the other half is for columns in numpy
            "temp_directory": str(self.path.parent / ".spill"),
            "checkpoint_threshold": "256MB",  # as it comes, a run stops at every 16 MB to put its files in order
            "perfect_ht_threshold": "0",  # groups of few small numbers would be finished by one thread alone
        }
        self.con.execute("; ".join(f"SET {name} = {quoted(value)}" for name, value in options.items()))

    def _attach(self, path: Path, name: str, options: str = "") -> None:
        try:
            with _explained_if_full(path):
                self.con.execute(f"ATTACH {quoted(path)} AS {name} {options}")
        except duckdb.Error as error:
            raise ContractError(
                f"The working database {path} cannot be opened ({first_line(error)}); "
                "end the program that holds it, or delete it and run `mttr rebuild`."
            ) from error

    def _attach_mart(self) -> None:
        # Without a log of writes, which would be flushed to disk for every table: the mart is written when it is closed.
        self._attach(self.mart_path, "mart", f"(STORAGE_VERSION '{STORAGE_VERSION}', RECOVERY_MODE no_wal_writes)")
        self.con.execute(_SEARCH_PATH)

    def _open_mart(self) -> None:
        """Begun anew where a run that was killed left a torn file: all that is in it is made by every run."""
        try:
            self._attach_mart()
        except ContractError as error:
            if any(sign in str(error) for sign in ("Could not set lock", "Could not write file")):
                raise
            self._delete_mart()
            self._attach_mart()

    @contextmanager
    def mart_closed(self) -> Iterator[Path]:
        """The file of the mart while nobody has it open."""
        self.con.execute("USE work")
        self.con.execute("DETACH mart")
        try:
            yield self.mart_path
        finally:
            self._attach_mart()

    def _empty_mart(self) -> None:
        """A new file: in the old one, tables made anew would leave holes that readers download."""
        with self.mart_closed():
            self._delete_mart()
        self.con.execute("DELETE FROM ops.builds WHERE table_name LIKE 'mart.%'")

    def _delete_mart(self) -> None:
        _delete(self.mart_path)

    def load(self, landing: Landing, sources: Iterable[str] | None = None) -> int:
        """Load every complete extract that is not in yet, oldest first; gives the number of records read. Empties the mart.

        Raises ContractError when a landing file is corrupt, its records do not add up, or the disk is full.
        """
        with _explained_if_full(self.path):
            self._empty_mart()
            return loading.load(self.con, self.catalog, landing, sources)

    def start_over(self) -> None:
        """Forget everything that was loaded; the next `load` reads the whole landing zone."""
        loading.start_over(self.con, self.catalog)

    def build(self, model: Model) -> int:
        """Make one table anew; gives its rows. Raises ContractError when its columns are not the documented ones."""
        made = None
        if model.schema != "raw":
            self._make_missing_facts(model)
            made = self._make(model)
        if model.table == INCIDENTS:  # facts are made of them, and the macros over them go where they are
            self._facts.clear()
            self.make_analyst_macros()
        made_by = [self.run_id, model.place]
        # One statement where it was made before: most of a night's tables are small.
        if not self.con.execute("UPDATE ops.builds SET run_id = ? WHERE table_name = ?", made_by).fetchall()[0][0]:
            self.con.execute("INSERT INTO ops.builds (run_id, table_name) VALUES (?, ?)", made_by)
        model.compare_columns(self.columns(model))
        return self.count(model) if made is None else made

    def _make(self, model: Model) -> int | None:
        """Gives the rows of a table, None for a view: it has none before somebody asks."""
        function = model.function()
        if function is not None:
            self.con.register("computed", function(self.con))
        sql = self.catalog.in_place(model.sql)
        if model.view and model.published:
            sql = self._configured(self.catalog.in_file(model.sql))
        elif model.published and brings_texts(self.catalog, model):
            sql = for_readers(self.con, sql)
        made = self.con.execute(f"CREATE OR REPLACE {model.kind} {model.place} AS {sql}").fetchall()
        if function is not None:
            self.con.unregister("computed")
        if model.schema == "facts":
            self._facts.add(model.table)
        return None if model.view else int(made[0][0])

    def _make_missing_facts(self, model: Model) -> None:
        """Make the facts that a table is made of where this connection does not have them yet."""
        for fact in self.catalog.of_layer("facts"):
            if fact.table not in self._facts and fact.table in self.catalog.upstream(model.table):
                self._make(fact)

    def _drop_leftovers(self) -> None:
        """Of an earlier release or configuration: the mart inside this file, macros, tables that no model makes now, and what became
        a view or a table."""
        self.con.execute("DROP SCHEMA IF EXISTS work.mart CASCADE")
        expected = {(model.place, model.kind) for model in self.catalog}
        found = self.con.execute(
            """SELECT database_name, schema_name, table_name, 'TABLE' FROM duckdb_tables()
            UNION ALL SELECT database_name, schema_name, view_name, 'VIEW' FROM duckdb_views() WHERE NOT internal"""
        ).fetchall()
        for database, schema, name, kind in found:
            place = f"{MART if database == MART else schema}.{name}"
            if place.split(".")[0] in ("staging", "core", "figures", MART) and (place, kind) not in expected:
                self.con.execute(f'DROP {kind} {database}.{schema}."{name}"')
        macros = self.con.execute(
            """SELECT DISTINCT function_name, CASE function_type WHEN 'table_macro' THEN 'MACRO TABLE' ELSE 'MACRO' END
            FROM duckdb_functions() WHERE database_name = 'work' AND NOT internal"""
        ).fetchall()
        for name, kind in macros:  # `prepare` makes those in force
            self.con.execute(f'DROP {kind} work.main."{name}"')

    def make_analyst_macros(self) -> None:
        """Make the macros over `incidents` where that table is, as they are configured now."""
        self.con.execute(f"USE {MART}")
        self.con.execute(self.analyst_macros())
        self.con.execute(_SEARCH_PATH)

    def analyst_macros(self) -> str:
        """The macros over `incidents`, with the configured outlier rule and reporting zone as their defaults."""
        return self._configured(load_macros("analyst"))

    def _configured(self, sql: str) -> str:
        """SQL for the file of readers, which has no configuration: what it needs of it is written into the SQL."""
        file, variants = self.settings.file, variants_in_force(self.settings.file)
        return Template(sql).safe_substitute(
            outlier_hours=repr(file.outliers.hours),
            outliers_excluded=str(file.outliers.enabled).lower(),
            local_time=_local_time(file.reporting_time_zone),
            wide_letters=quoted(_WIDE_LETTERS),
            plain_letters=quoted(unicodedata.normalize("NFKC", _WIDE_LETTERS)),
            as_of=self.as_of.isoformat(),
            variant_starts=" ".join(f"WHEN '{name}' THEN '{start}'" for name, (start, _) in variants.items()),
            variant_ends=" ".join(f"WHEN '{name}' THEN '{end}'" for name, (_, end) in variants.items()),
            variant_names=", ".join(variants),
            variant_rows=", ".join(
                f"('{name}', '{start}', '{end}')" for name, (start, end) in sorted(variants.items())
            ),
        )

    def not_of_this_run(self) -> list[str]:
        """Tables that another run built, or none: published together with this run's they would be a mixture."""
        built = {
            name
            for (name,) in self.con.execute(
                "SELECT table_name FROM ops.builds WHERE run_id = ?", [self.run_id]
            ).fetchall()
        }
        return [model.table for model in self.catalog if model.place not in built]

    def run_of_all_tables(self) -> str | None:
        """The run that built every table; None when there is none."""
        found = self.con.execute("SELECT run_id, list(table_name) FROM ops.builds GROUP BY run_id").fetchall()
        whole = {model.place for model in self.catalog}
        return next((run_id for run_id, tables in found if whole <= set(tables)), None)

    def columns(self, model: Model) -> dict[str, str]:
        """Column name -> type of a built table."""
        return {row[0]: row[1] for row in self.con.execute(f"DESCRIBE {model.place}").fetchall()}

    def count(self, model: Model) -> int:
        """How many rows a built table has."""
        row = self.con.execute(f"SELECT count(*) FROM {model.place}").fetchone()
        assert row is not None
        return int(row[0])

    def check(self, model: Model) -> list[CheckResult]:
        """Run every promise of a header against the built table. A check that itself fails is a failed check."""
        return run_checks(self.con, model)


def _local_time(zone: str) -> str:
    """The instant `instant` as a clock in a zone shows it. Instants are kept in UTC, where no calendar has to be asked."""
    return "make_timestamp(epoch_us(instant))" if zone == "UTC" else f"timezone({quoted(zone)}, instant)"


def open_meanwhile(path: Path, settings: Settings, as_of: datetime, run_id: str) -> Callable[[], Warehouse]:
    """Open the warehouse in a thread of its own, for which a pull leaves the time. What is given waits for it, and raises what
    `Warehouse` raises."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="warehouse")
    opened = pool.submit(Warehouse, path, settings, as_of, run_id)
    pool.shutdown(wait=False)
    return opened.result


def _delete(database: Path) -> None:
    """A database and its write-ahead log, which would be played into the next file of that name."""
    for path in (database, database.with_name(f"{database.name}.wal")):
        path.unlink(missing_ok=True)


@contextmanager
def _explained_if_full(database: Path) -> Iterator[None]:
    """Raises ContractError, with what to do, where DuckDB cannot write for want of room."""
    try:
        yield
    except duckdb.Error as error:
        if not is_of_the_disk(error):
            raise
        raise ContractError(
            f"The working database {database} cannot be written ({first_line(error)}); free the disk and run again."
        ) from error
