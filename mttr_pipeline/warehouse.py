"""The private working database: loads landed records, builds the tables of `sql/`, runs their checks.

One writer, one connection. Nothing here knows a vendor's field or a metric: those are in the SQL files. Readers never open
this file; they get a published copy (see `publish`).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import duckdb
import zstandard

from mttr_pipeline.errors import ContractError
from mttr_pipeline.landing import NOT_PULLED, TOMBSTONES, Landing, Manifest
from mttr_pipeline.mappings import config_tables, variants_in_force
from mttr_pipeline.settings import Settings
from mttr_pipeline.sqlmodels import Model, load_macros, load_models

_OPS = """
CREATE SCHEMA IF NOT EXISTS ops;
CREATE TABLE IF NOT EXISTS ops.loads (
    source VARCHAR, extract_id VARCHAR, stream VARCHAR,
    fetched BIGINT, normalised BIGINT, duplicates BIGINT, quarantined BIGINT
);
CREATE TABLE IF NOT EXISTS ops.quarantine (
    source VARCHAR, stream VARCHAR, external_id VARCHAR, reason VARCHAR, extract_id VARCHAR, raw_reference VARCHAR
);
CREATE TABLE IF NOT EXISTS ops.fingerprint (value VARCHAR);
CREATE TABLE IF NOT EXISTS ops.builds (table_name VARCHAR, run_id VARCHAR);
CREATE OR REPLACE TABLE ops.facts (source VARCHAR, extract_id VARCHAR, fact VARCHAR, n BIGINT);
CREATE OR REPLACE TABLE ops.attempts (
    source VARCHAR, extract_id VARCHAR, run_id VARCHAR, started_at TIMESTAMP, finished_at TIMESTAMP, status VARCHAR,
    requests BIGINT, fetched BIGINT, since VARCHAR, until VARCHAR, error VARCHAR, data_as_of TIMESTAMP
);
CREATE OR REPLACE TABLE ops.differences (source VARCHAR, extract_id VARCHAR, stream VARCHAR, expected BIGINT, received BIGINT);
"""

_AUDITED = frozenset({model.source for model in load_models() if model.stream == TOMBSTONES})


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check of one table; `detail` says what was found, for a person."""

    name: str
    passed: bool
    detail: str


class Warehouse:
    """A connection to `work.duckdb`, set up so that every model can run.

    `as_of` is the clock of the run. Raises ContractError when the file is in use or no database.
    """

    def __init__(self, path: Path, settings: Settings, as_of: datetime, run_id: str) -> None:
        self.path, self.settings, self.run_id = path, settings, run_id
        self.as_of = as_of.astimezone(UTC)
        try:
            self.con = duckdb.connect(config={"autoinstall_known_extensions": False})
            self.con.execute(f"ATTACH {quoted(path)} AS work")
        except duckdb.Error as error:
            raise ContractError(
                f"The working database {path} cannot be opened ({_first_line(error)}); "
                "end the program that holds it, or delete it and run `mttr rebuild`."
            ) from error
        self.con.execute("USE work")
        self.con.execute("SET TimeZone = 'UTC'")
        self.con.execute("SET preserve_insertion_order = true")
        self.con.execute("SET enable_progress_bar = false")
        amount, unit = str(self.con.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]).split()
        self.con.execute(f"SET memory_limit = '{float(amount) / 2} {unit}'")  # the other half is for columns in numpy
        self.con.execute(f"SET temp_directory = {quoted(path.parent / '.spill')}")
        self.con.execute(_OPS)
        for schema in ("raw", "staging", "core", "mart", "config"):
            self.con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        self.con.execute("BEGIN")
        for name, (ddl, rows) in config_tables(settings, self.as_of).items():
            self.con.execute(f"CREATE OR REPLACE TABLE config.{name} ({ddl})")
            if rows:  # in one statement: executemany takes fifty times longer
                marks = ", ".join(["(" + ", ".join("?" * len(rows[0])) + ")"] * len(rows))
                self.con.execute(f"INSERT INTO config.{name} VALUES {marks}", [value for row in rows for value in row])
        self.con.execute("COMMIT")
        self.con.execute("USE work.mart")  # the analysts' macros name their tables without a schema
        self.con.execute(load_macros("internal"))
        self._start_over_if_outdated()
        self._create_raw_tables()

    def close(self) -> None:
        self.con.close()

    # -- loading ---------------------------------------------------------------------------------------------------

    def load(self, landing: Landing, sources: Iterable[str] | None = None) -> int:
        """Load every complete extract that is not in yet, oldest first; gives the number of records read.

        Raises ContractError when a landing file is corrupt or its records do not add up.
        """
        manifests = landing.manifests()
        self._record_attempts(manifests)
        self._record_facts(manifests)
        self._record_differences(manifests)
        loaded = {
            row[0] for row in self.con.execute("SELECT DISTINCT source || '/' || extract_id FROM ops.loads").fetchall()
        }
        total = 0
        for manifest in manifests:
            if manifest.status != "complete" or f"{manifest.source}/{manifest.extract_id}" in loaded:
                continue
            if sources is not None and manifest.source not in sources:
                continue
            landing.verify(manifest)
            total += self._load_extract(landing, manifest)
        return total

    def _load_extract(self, landing: Landing, manifest: Manifest) -> int:
        """All streams of one extract, in one transaction: it is in whole or not at all."""
        self.con.execute("BEGIN")
        try:
            known = {
                model.stream: model
                for model in load_models()
                if model.schema == "raw" and model.source == manifest.source
            }
            streams = {file.stream for file in manifest.files}
            for stream in sorted(streams, key=lambda name: (name == TOMBSTONES, name)):
                files = [file for file in manifest.files if file.stream == stream]
                if stream not in known:
                    raise ContractError(
                        f"The landing zone has a stream {manifest.source}/{stream} that no SQL file reads."
                    )
                paths = [str(landing.folder(manifest) / file.file) for file in files]
                self._load_stream(known[stream], manifest, landing.root, paths, sum(file.records for file in files))
            if not manifest.files:
                self.con.execute(
                    "INSERT INTO ops.loads VALUES (?, ?, '', 0, 0, 0, 0)", [manifest.source, manifest.extract_id]
                )
            self.con.execute("COMMIT")
        except BaseException:
            self.con.execute("ROLLBACK")
            raise
        return manifest.records

    def _load_stream(self, model: Model, manifest: Manifest, root: Path, paths: list[str], promised: int) -> None:
        """Newest payload per key into the raw table, rejects into quarantine, the counts into the ledger."""
        con = self.con
        self._point_at(paths, root)
        # Its rowid is the order of landing. A row_number() over the files would say the same on one thread instead of all.
        con.execute(f"CREATE OR REPLACE TEMP TABLE delta AS {model.sql}")
        key = ", ".join(model.key)
        count = con.execute(
            f"SELECT count(*), count(reject_reason), count(DISTINCT CASE WHEN reject_reason IS NULL THEN ({key}) END) FROM delta"
        ).fetchone()
        assert count is not None
        fetched, quarantined, distinct = count
        if fetched != promised:
            raise ContractError(
                f"{manifest.source}/{manifest.extract_id}: {promised} records were landed in {model.stream} but {fetched} can be "
                "read back; move that folder out of the landing zone and pull again with --full-refresh."
            )
        identity = model.key[0]
        # Alive again; those of this extract come after it.
        if manifest.source in _AUDITED and model.stream != TOMBSTONES:
            con.execute(
                f"DELETE FROM raw.{manifest.source}_{TOMBSTONES} AS old USING delta AS new "
                f"WHERE old.of_stream = ? AND old.external_id = new.{identity}::VARCHAR",
                [model.stream],
            )
        con.execute(
            f"DELETE FROM ops.quarantine AS old USING delta AS new WHERE old.source = ? AND old.stream = ? "
            f"AND old.external_id = new.{identity}::VARCHAR",
            [manifest.source, model.stream],
        )
        con.execute(
            f"INSERT INTO ops.quarantine SELECT ?, ?, {identity}::VARCHAR, reject_reason, ?, landed_in "
            "FROM delta WHERE reject_reason IS NOT NULL",
            [manifest.source, model.stream, manifest.extract_id],
        )
        if quarantined:
            con.execute("DELETE FROM delta WHERE reject_reason IS NOT NULL")
        if distinct != fetched - quarantined:
            order = f"{model.version} DESC NULLS LAST, rowid DESC" if model.version else "rowid DESC"
            con.execute(
                f"""DELETE FROM delta WHERE rowid IN (SELECT landed_row FROM (
                    SELECT rowid AS landed_row, row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS place FROM delta
                ) WHERE place > 1)"""
            )
        same = " AND ".join(f"old.{column} = new.{column}" for column in model.key)
        if model.version:  # a payload that is older than the one we have (a late re-delivery) does not replace it
            con.execute(
                f"DELETE FROM delta AS new USING {model.table} AS old WHERE {same} AND new.{model.version} < old.{model.version}"
            )
        con.execute(f"DELETE FROM {model.table} AS old USING delta AS new WHERE {same}")
        con.execute(f"INSERT INTO {model.table} BY NAME SELECT * EXCLUDE (reject_reason) FROM delta")
        con.execute(
            "INSERT INTO ops.loads VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                *(manifest.source, manifest.extract_id, model.stream),
                *(promised, distinct, fetched - quarantined - distinct, quarantined),
            ],
        )
        con.execute("DROP TABLE delta")

    def _create_raw_tables(self) -> None:
        """An empty table for every stream that was never loaded, so that models can select from it."""
        present = {
            row[0]
            for row in self.con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw'").fetchall()
        }
        missing = [model for model in load_models() if model.schema == "raw" and model.name not in present]
        if not missing:
            return
        with tempfile.TemporaryDirectory() as folder:
            empty = Path(folder) / "empty.jsonl.zst"
            empty.write_bytes(zstandard.compress(b""))
            self._point_at([str(empty)], Path(folder))
            for model in missing:
                self.con.execute(
                    f"CREATE TABLE {model.table} AS SELECT * EXCLUDE (reject_reason) FROM ({model.sql}) LIMIT 0"
                )

    def _point_at(self, files: list[str], root: Path) -> None:
        """Say which files the macro `landed` reads, and what to cut off their names."""
        self.con.execute("SET VARIABLE files = ?", [files])
        self.con.execute("SET VARIABLE landing_root = ?", [f"{root}/"])

    def _record_attempts(self, manifests: list[Manifest]) -> None:
        """What every pull did, the failed ones too, for `source_runs`."""
        self.con.execute("DELETE FROM ops.attempts")
        rows: list[list[Any]] = []
        for manifest in manifests:
            for attempt in manifest.attempts:
                final = attempt is manifest.attempts[-1] and manifest.status == "complete"
                # A pull without a mark (a gap was filled, the same clock again) makes nothing known up to a later instant.
                known = manifest.high_water or (attempt.finished_at if manifest.source in NOT_PULLED else None)
                rows.append(
                    [
                        *(manifest.source, manifest.extract_id, attempt.run_id),
                        *(_utc(attempt.started_at), _utc(attempt.finished_at), attempt.status, attempt.requests),
                        manifest.records if final else 0,
                        *(manifest.plan.get("since"), manifest.plan.get("until"), attempt.error),
                        _utc(known) if final and known else None,
                    ]
                )
        if rows:
            self.con.executemany(f"INSERT INTO ops.attempts VALUES ({', '.join('?' * 12)})", rows)

    def _record_differences(self, manifests: list[Manifest]) -> None:
        """Where a listing held fewer records than the vendor's own count of it; a full pull of a source settles earlier ones."""
        self.con.execute("DELETE FROM ops.differences")
        for manifest in manifests:
            if manifest.status != "complete":
                continue
            if manifest.plan.get("mode") != "incremental":
                self.con.execute("DELETE FROM ops.differences WHERE source = ?", [manifest.source])
            for found in manifest.facts.get("count_differences", []):
                self.con.execute(
                    "INSERT INTO ops.differences VALUES (?, ?, ?, ?, ?)",
                    [manifest.source, manifest.extract_id, found["stream"], found["expected"], found["received"]],
                )

    def _record_facts(self, manifests: list[Manifest]) -> None:
        """What the pulls noticed on their way."""
        self.con.execute("DELETE FROM ops.facts")
        rows = [
            [manifest.source, manifest.extract_id, fact, n]
            for manifest in manifests
            if manifest.status == "complete"
            for fact, n in _facts(manifest).items()
        ]
        if rows:
            self.con.executemany("INSERT INTO ops.facts VALUES (?, ?, ?, ?)", rows)

    def _start_over_if_outdated(self) -> None:
        """Raw tables depend on their SQL, the zones and the severities of custom records; when those change, load all anew."""
        text = json.dumps(
            [
                *(model.sql for model in load_models() if model.schema == "raw"),
                load_macros("internal"),
                {name: options.time_zone for name, options in self.settings.file.sources},
                self.settings.file.sources.custom.severity,
            ]
        )
        value = hashlib.sha256(text.encode()).hexdigest()
        found = self.con.execute("SELECT value FROM ops.fingerprint").fetchone()
        if found is None or found[0] != value:
            self.start_over()
            self.con.execute("INSERT INTO ops.fingerprint VALUES (?)", [value])

    def start_over(self) -> None:
        """Forget everything that was loaded; the next `load` reads the whole landing zone."""
        self.con.execute("DROP SCHEMA raw CASCADE; CREATE SCHEMA raw")
        self.con.execute("DELETE FROM ops.loads; DELETE FROM ops.quarantine; DELETE FROM ops.fingerprint")
        self._create_raw_tables()

    # -- building --------------------------------------------------------------------------------------------------

    def build(self, model: Model) -> int:
        """Make one table anew; gives its rows. Raises ContractError when its columns are not the documented ones."""
        if model.schema != "raw":
            function = model.function()
            if function is not None:
                self.con.register("computed", function(self.con))
            self._drop_if_other(model)
            self.con.execute(f"CREATE OR REPLACE {'VIEW' if model.view else 'TABLE'} {model.table} AS {model.sql}")
            if function is not None:
                self.con.unregister("computed")
        if model.table == "mart.incidents":
            self.con.execute(self.analyst_macros())
        self.con.execute("DELETE FROM ops.builds WHERE table_name = ?", [model.table])
        self.con.execute("INSERT INTO ops.builds VALUES (?, ?)", [model.table, self.run_id])
        produced = list(self.columns(model))
        documented = [name for name in model.columns if name != "reject_reason" or model.schema != "raw"]
        if produced != documented:
            raise ContractError(
                f"{model.table} has the columns {', '.join(produced)}, but its header documents {', '.join(documented)}."
            )
        return self.count(model)

    def _drop_if_other(self, model: Model) -> None:
        """An earlier release may have stored what is a view now, or the other way round; neither replaces the other."""
        other = "TABLE" if model.view else "VIEW"
        found = self.con.execute(
            f"SELECT 1 FROM duckdb_{other.lower()}s() WHERE database_name = 'work' AND schema_name = ? AND {other.lower()}_name = ?",
            [model.schema, model.name],
        ).fetchone()
        if found:
            self.con.execute(f"DROP {other} {model.table}")

    def analyst_macros(self) -> str:
        """The macros over `incidents`, with the configured outlier rule and reporting zone as their defaults."""
        file, variants = self.settings.file, variants_in_force(self.settings)
        return Template(load_macros("analyst")).safe_substitute(
            outlier_hours=repr(file.outliers.hours),
            outliers_excluded=str(file.outliers.enabled).lower(),
            time_zone=file.reporting_time_zone,
            variant_starts=" ".join(f"WHEN '{name}' THEN '{start}'" for name, (start, _) in variants.items()),
            variant_ends=" ".join(f"WHEN '{name}' THEN '{end}'" for name, (_, end) in variants.items()),
            variant_names=", ".join(variants),
        )

    def not_of_this_run(self) -> list[str]:
        """Tables that another run built, or none: published together with this run's they would be a mixture."""
        built = {
            name
            for (name,) in self.con.execute(
                "SELECT table_name FROM ops.builds WHERE run_id = ?", [self.run_id]
            ).fetchall()
        }
        return [model.table for model in load_models() if model.table not in built]

    def columns(self, model: Model) -> dict[str, str]:
        """Column name -> type of a built table."""
        return {row[0]: row[1] for row in self.con.execute(f"DESCRIBE {model.table}").fetchall()}

    def count(self, model: Model) -> int:
        row = self.con.execute(f"SELECT count(*) FROM {model.table}").fetchone()
        assert row is not None
        return int(row[0])

    def check(self, model: Model) -> list[CheckResult]:
        """Run every promise of a header against the built table. A check that itself fails is a failed check."""
        queries: dict[str, str] = {}
        if model.not_null:  # one check for all columns: a check of its own for each doubles the time of a small run
            counts = ", ".join(f'count(*) - count("{column}")' for column in model.not_null)
            queries["not_null"] = f"SELECT {counts} FROM {model.table}"
        for columns in model.unique:
            named = ", ".join(f'"{column}"' for column in columns)
            queries[f"unique_{'_'.join(columns)}"] = (
                f"SELECT count(*) FROM (SELECT 1 FROM {model.table} GROUP BY {named} HAVING count(*) > 1)"
            )
        for name, predicate in model.asserts.items():
            queries[name] = f"SELECT count(*) FROM {model.table} WHERE NOT coalesce({predicate}, true)"
        results = []
        for name, query in queries.items():
            try:
                counted = self.con.execute(query).fetchall()[0]
                broken = [f"{n} rows break it" for n in counted if n]
                if name == "not_null":
                    broken = [
                        f"{column} is NULL in {n} rows" for column, n in zip(model.not_null, counted, strict=True) if n
                    ]
                results.append(CheckResult(name, not broken, ", ".join(broken) or "holds"))
            except duckdb.Error as error:
                results.append(CheckResult(name, False, f"the check itself failed: {_first_line(error)}"))
        return results


def _facts(manifest: Manifest) -> dict[str, int]:
    """Fact -> number."""
    counted: dict[str, Any] = dict(manifest.facts.get("counts", {}))
    windows = manifest.facts.get("audit", {}).get("postponed", {})
    counted["audit_windows_postponed"] = sum(len(keys) for keys in windows.values())
    return {fact: int(n) for fact, n in sorted(counted.items()) if n}


def quoted(text: str | Path) -> str:
    """A text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def _utc(text: str) -> datetime:
    """An ISO instant as the naive UTC that TIMESTAMP columns hold."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
