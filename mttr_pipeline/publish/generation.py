"""Publishing: one complete, read-only generation per run, and the atomic move of `latest` onto it.

    published/<run-id>/  mttr.duckdb  parquet/<table>.parquet  json/<report>.json  report.html  report/  manifest.json
    published/latest       -> <run-id>
    published/latest.json  -> latest/latest.json, so that one move changes both

A generation is written under a hidden name, renamed when it is whole, and only then becomes `latest`: readers see the old
one or the new one, never a mixture. A file is never replaced in place, because DuckDB would replay a stale write-ahead log
into it. Whoever has the old file open keeps reading it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from mttr_pipeline import __version__, reports
from mttr_pipeline.config.sections import Keep
from mttr_pipeline.errors import ContractError, first_line, is_of_the_disk
from mttr_pipeline.landing.disk import sync
from mttr_pipeline.publish.rotation import those_to_keep, time_in
from mttr_pipeline.publish.vanished import require_what_was_published
from mttr_pipeline.warehouse.database import STORAGE_VERSION, Warehouse
from mttr_pipeline.warehouse.models import Model
from mttr_pipeline.warehouse.preparation import quoted
from mttr_pipeline.warehouse.transaction import transaction

# Level 1 takes two thirds of the time of DuckDB's own 3, for a tenth more space. Columns of ids and links have no use for a
# dictionary, and DuckDB tries for longer when it may be larger.
_PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 5000"
DATABASE = "mttr.duckdb"
_MACRO_COMMENTS = {
    "mttr": "the calculation over the incidents that match the filters: one row",
    "mttr_by": "the calculation per severity, service, team, day, week or month, or per combination of a list of them",
    "mttr_population": "the incidents behind a figure, each with its population and duration",
}
_FUNCTION_COMMENTS = {
    "offset_minutes": "how far the clock of an ISO 8601 text is ahead of UTC",
    "instant_us": "microseconds since 1970 of an instant; without an offset it is UTC",
    "std_dev_of": "exact sample standard deviation from n, sum and sum of squares",
    "percentile_shares": "the shares of all values at which durations are looked up",
    "value_of_rank": "the value of a rank next to a percentile",
    "percentile_minutes": "minutes of a percentile of microseconds, exact, the same in every version of DuckDB",
    "measures_of": "the result columns of the calculation, of populations, durations and outliers",
    "mttr_measures": "the result columns of the calculation, of populations and durations",
    "stamp_names": "the names of the eight stamps, in the order of an incident's life",
    "stamps_us": "the eight stamps of an incident as a list, in microseconds",
    "stamp_at": "the stamp at a place among the eight, in microseconds",
    "stamp_from": "a stamp at or after a place among the eight, in microseconds",
    "local_time": "an instant as a clock in the reporting time zone shows it",
    "folded_name": "the name of a service or team as filters compare it",
    "status_is_over": "whether an incident of this status is over",
    "population_of": "the one population an incident falls in",
    "window_date_of": "the first day of the day, week or month in which an instant lies, in the reporting time zone",
    "dimensions_of": "the dimensions that mttr_by is asked for, as a list",
    "window_unit_of": "the dimension among them that is a window: day, week or month",
    "checked_dimensions_of": "the dimensions that mttr_by is asked for, or an error",
    "scope_value_of": "the severity, service, team, day, week or month an incident belongs to",
}


@dataclass(frozen=True)
class Generation:
    """A published folder and what is in it: file name -> rows (None where rows mean nothing)."""

    folder: Path
    files: dict[str, int | None]


@dataclass(frozen=True)
class Readers:
    """Who may read what is published: the rights of a file, and its group (None: that of the user who runs).

    A folder can be entered by whoever can read its files. Nobody may write mttr.duckdb.
    """

    mode: int = 0o644
    group: str | None = None

    def admit(self, path: Path) -> None:
        """Give a file or folder to the readers. Raises OSError, also for a group that there is not."""
        if self.group is not None:
            try:
                shutil.chown(path, group=self.group)
            except LookupError as error:
                raise OSError(errno.EINVAL, f"there is no group {self.group}, see group in [publish]") from error
        mode = self.mode
        if path.is_dir():
            mode |= 0o700 | (mode & 0o444) >> 2
        elif path.name == DATABASE:
            mode &= 0o444
        path.chmod(mode)


def publish(
    warehouse: Warehouse,
    root: Path,
    run_id: str,
    keep: Keep | None = None,
    may_vanish_pct: float = 0,
    readers: Readers = Readers(),
) -> Generation:
    """Write the mart as a new generation under `root`, open it to its readers, and move `latest` to it.

    Raises ContractError when it cannot be written, or when more than `may_vanish_pct` percent of the records of a source that are
    published now would be gone; `latest` then stands where it was. Older generations go, but for those to `keep` (the default:
    that of the settings).
    """
    _require_own_tables(warehouse, root, run_id)
    newest = latest(root)
    if newest is not None:
        require_what_was_published(warehouse, newest, may_vanish_pct)
    final = root / run_id
    partial = root / f".{run_id}.partial"
    is_ours = False  # what stands under the final name
    try:
        root.mkdir(parents=True, exist_ok=True)
        for leftover in root.glob(".*.partial"):  # of a run that was killed
            _remove(leftover)
        (partial / "parquet").mkdir(parents=True)
        files = _write(warehouse, partial)
        files |= _write_pointer(warehouse, partial, run_id)
        _write_manifest(warehouse, partial, run_id, files)
        for path in sorted(partial.rglob("*")):
            readers.admit(path)
            if path.is_file():
                sync(path)
        readers.admit(partial)
        readers.admit(root)
        partial.rename(final)
        is_ours = True
        sync(root)
        _point_latest(root, run_id)
    except BaseException as error:  # an interrupt too: a generation that never became `latest` is of no use to anyone
        _remove(partial)
        if is_ours and latest(root) != final.resolve():
            _remove(final)
        if not isinstance(error, OSError | duckdb.Error):
            raise
        remedy = (
            "free the disk or mend its permissions and run again"
            if is_of_the_disk(error)
            else "the disk is not the reason: mend what it names, or run `mttr --debug rebuild` to see where it failed"
        )
        raise ContractError(
            f"The results could not be published in {root} ({first_line(error)}); {remedy}. What was published before is untouched."
        ) from error
    _prune(root, keep or Keep(), run_id)
    return Generation(final, files)


def _require_own_tables(warehouse: Warehouse, root: Path, run_id: str) -> None:
    """Raises ContractError for tables of another run or of none, and for a run whose results are published."""
    if (root / run_id).exists():
        raise ContractError(
            f"The results of the run {run_id} could not be published again: they are in {root / run_id} already, and a generation "
            "is never written twice. Run the whole job `nightly` or `rebuild` for new ones."
        )
    others = warehouse.not_of_this_run()
    if not others:
        return
    of = warehouse.run_of_all_tables()
    if of is not None:
        end = "which is published already" if (root / of).exists() else "which was never published"
        raise ContractError(
            f"This run made no table, and all that are there are of the run {of}, {end}; re-execute that run from its failure, or "
            "run the whole job `nightly` or `rebuild`."
        )
    raise ContractError(
        f"{len(others)} tables were not made by this run ({', '.join(others[:3])}, ...), so publishing would mix two runs; "
        "run the whole job `nightly` or `rebuild`."
    )


def latest(root: Path) -> Path | None:
    """The newest generation, or None when nothing was ever published."""
    link = root / "latest"
    return link.resolve() if link.exists() else None


def _write(warehouse: Warehouse, folder: Path) -> dict[str, int | None]:
    rows = {model.name: warehouse.count(model) for model in warehouse.catalog.published}
    # DuckDB writes without the interpreter, which puts the documents into words and draws the charts meanwhile.
    with ThreadPoolExecutor(1) as pool:
        parquet = pool.submit(_write_parquet, warehouse.cursor(), rows, folder)
        documents = reports.documents(warehouse.con)
        texts = {f"json/{name}.json": reports.dumps(document) for name, document in documents.items()}
        texts["report.html"] = reports.render(documents)
        texts["metrics.prom"] = reports.metrics(warehouse.con)
        more = {dimension: reports.member_details(warehouse.con, dimension) for dimension in ("service", "team")}
        files: dict[str, int | None] = {DATABASE: None}
        for name, text in chain(texts.items(), reports.pages(documents, more)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            files[name] = None
        files |= parquet.result()
    _write_database(warehouse, folder / DATABASE)
    return files


def _write_parquet(con: duckdb.DuckDBPyConnection, rows: dict[str, int], folder: Path) -> dict[str, int]:
    """Each table of the mart as Parquet, the largest first. Gives the rows of each file."""
    files = {}
    for name in sorted(rows, key=lambda name: -rows[name]):
        file = f"parquet/{name}.parquet"
        con.execute(f"COPY mart.{name} TO {quoted(folder / file)} ({_PARQUET})")
        files[file] = rows[name]
    return files


def _write_database(warehouse: Warehouse, path: Path) -> None:
    """The file of the mart as it stands."""
    _comment(warehouse.con, warehouse.catalog.published)
    warehouse.con.execute("CHECKPOINT mart")
    with warehouse.mart_closed() as mart:
        shutil.copyfile(mart, path)


def _comment(con: duckdb.DuckDBPyConnection, models: list[Model]) -> None:
    """Write the headers of the models and of the macros into the mart, so that the documentation travels with the data."""
    with transaction(con):  # one for all: there are hundreds of comments
        for model in models:
            con.execute(f"COMMENT ON {model.kind} {model.place} IS {quoted(model.description)}")
            for column, text in model.columns.items():
                con.execute(f'COMMENT ON COLUMN {model.place}."{column}" IS {quoted(text)}')
        for macro, text in _MACRO_COMMENTS.items():
            con.execute(f"COMMENT ON MACRO TABLE mart.{macro} IS {quoted(text)}")
        for macro, text in _FUNCTION_COMMENTS.items():
            con.execute(f"COMMENT ON MACRO mart.{macro} IS {quoted(text)}")


def _write_manifest(warehouse: Warehouse, folder: Path, run_id: str, files: dict[str, int | None]) -> None:
    row = warehouse.con.execute("SELECT definition_hash FROM config.run").fetchone()
    with ThreadPoolExecutor(2) as pool:
        sums = dict(zip(files, pool.map(_sha256, (folder / name for name in files)), strict=True))
    manifest: dict[str, Any] = {
        "run_id": run_id,
        "as_of": reports.instant_text(warehouse.as_of),
        "definition_hash": row[0] if row else None,
        "versions": {"mttr_pipeline": __version__, "duckdb": duckdb.__version__, "storage": STORAGE_VERSION},
        "files": {
            name: {
                "rows": rows,
                "bytes": (folder / name).stat().st_size,
                "sha256": sums[name],
            }
            for name, rows in sorted(files.items())
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _write_pointer(warehouse: Warehouse, folder: Path, run_id: str) -> dict[str, int | None]:
    """What `latest.json` says, for readers that cannot follow a link to a folder."""
    said = {"run_id": run_id, "as_of": reports.instant_text(warehouse.as_of), "path": run_id}
    (folder / "latest.json").write_text(json.dumps(said) + "\n", encoding="utf-8")
    return {"latest.json": None}


def _point_latest(root: Path, run_id: str) -> None:
    """Both names of the newest generation, swapped in one step: the second leads through the first."""
    _swap_link(root / "latest", Path(run_id))
    if not (root / "latest.json").is_symlink():  # of an earlier release, or the first generation
        _swap_link(root / "latest.json", Path("latest", "latest.json"))
    sync(root)


def _swap_link(link: Path, target: Path) -> None:
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def _prune(root: Path, keep: Keep, newest: str) -> None:
    """Delete the generations that no rule keeps."""
    folders = {path.name: path for path in root.iterdir() if path.is_dir() and not path.is_symlink()}
    found = {name: _made_at(path) for name, path in folders.items() if name[0] != "."}
    for name in found.keys() - those_to_keep(found, keep, newest):
        _remove(folders[name])


def _made_at(folder: Path) -> datetime:
    """When a generation was made, UTC: its name says it, or else its folder."""
    return time_in(folder.name) or datetime.fromtimestamp(folder.stat().st_mtime, UTC)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
