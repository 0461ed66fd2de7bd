"""The SQL files: one file = one table, a bare SELECT under a TOML header that documents it.

    /*
    description = "One row per real incident."
    not_null = ["incident_id"]
    unique = [["incident_id"]]
    [columns]
    incident_id = "stable id ..."
    [assert]
    window_is_ordered = "window_start < window_end"
    */
    SELECT ...

Where SQL says it badly, the header names a function, `python = "mttr_pipeline.metrics.survival:published"`, and the SELECT reads
what it returns under the name `computed`: the file still says what the table is called, documents and types it. What the
function reads is listed in `depends`.

What belongs here: reading and ordering these files. Running them is the warehouse's work. A file's folder is the schema
its table lives in (`facts` are in memory, `mart` is what is published); what it depends on is read from the schema-qualified
names it selects from, so it cannot be misstated.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mttr_pipeline.errors import ContractError

if TYPE_CHECKING:
    import duckdb

SCHEMAS = ("raw", "staging", "core", "facts", "mart")
_HEADER = re.compile(r"\A\s*/\*(?P<toml>.*?)\*/(?P<sql>.*)\Z", re.DOTALL)
_REFERENCE = re.compile(rf"\b(?P<schema>{'|'.join(SCHEMAS)})\.(?P<table>[a-z_0-9]+)\b")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_KNOWN_KEYS = {
    "description",
    "columns",
    "depends",
    "not_null",
    "unique",
    "assert",
    "source",
    "stream",
    "key",
    "version",
    "python",
    "view",
}


@dataclass(frozen=True)
class Model:
    """One table: where it lives, what it means, the SELECT that makes it and what must hold for it.

    `source`, `stream`, `key`, `version` and `record` are set for raw tables only: which landed stream is read, what
    identifies a record in it and which column tells the newer of two. `hidden` are tables it reads through a macro or through
    `python`, the function that makes `computed`. A `view` is worked out wherever it is read and stored nowhere.
    """

    schema: str
    name: str
    sql: str
    description: str
    columns: dict[str, str]
    not_null: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    asserts: dict[str, str] = field(default_factory=dict)
    source: str | None = None
    stream: str | None = None
    key: tuple[str, ...] = ()
    version: str | None = None
    hidden: tuple[str, ...] = ()
    python: str | None = None
    view: bool = False

    @property
    def table(self) -> str:
        return f"{self.schema}.{self.name}"

    @cached_property
    def depends(self) -> tuple[str, ...]:
        """Tables this one selects from, as `schema.name`, sorted."""
        found = {f"{m['schema']}.{m['table']}" for m in _REFERENCE.finditer(_COMMENT.sub(" ", self.sql))}
        return tuple(sorted(found.union(self.hidden) - {self.table}))

    def function(self) -> Callable[[duckdb.DuckDBPyConnection], dict[str, Any]] | None:
        """What makes `computed`, as columns. Raises ContractError when the header names nothing that can be called."""
        if self.python is None:
            return None
        module, _, name = self.python.partition(":")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ContractError(
                f"sql/{self.schema}/{self.name}.sql: python = {self.python!r} is not there: {error}."
            ) from error
        return cast("Callable[[duckdb.DuckDBPyConnection], dict[str, Any]]", found)

    def promises(self) -> dict[str, str]:
        """Check name -> what it promises: no NULLs, unique keys and the header's own assertions."""
        found = {"not_null": f"never NULL: {', '.join(self.not_null)}"} if self.not_null else {}
        found |= {f"unique_{'_'.join(columns)}": f"({', '.join(columns)}) is unique" for columns in self.unique}
        return found | self.asserts


def sql_folder() -> Path:
    """The `sql/` tree: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "sql"
    return inside if inside.is_dir() else package.parent / "sql"


@cache
def load_models(folder: Path | None = None) -> tuple[Model, ...]:
    """Every model, each after all it depends on. Raises ContractError for a bad header, an unknown table or a cycle."""
    folder = folder or sql_folder()
    models = {
        model.table: model
        for schema in SCHEMAS
        for path in sorted((folder / schema).glob("*.sql"))
        for model in [parse_model(path.read_text(encoding="utf-8"), schema, path.stem)]
    }
    for model in models.values():
        for name in model.depends:
            if name not in models:
                raise ContractError(f"sql/{model.schema}/{model.name}.sql selects from {name}, which no file makes.")
    try:
        order = TopologicalSorter({name: model.depends for name, model in models.items()}).static_order()
        return tuple(models[name] for name in order)
    except CycleError as error:
        raise ContractError(f"The SQL files depend on each other in a circle: {' -> '.join(error.args[1])}.") from error


@cache
def upstream(table: str) -> frozenset[str]:
    """Every table that one is made of, through others too."""
    depends = {model.table: model.depends for model in load_models()}[table]
    return frozenset(depends).union(*(upstream(name) for name in depends))


def load_macros(name: str) -> str:
    """The CREATE MACRO statements of `sql/macros/<name>.sql`."""
    return (sql_folder() / "macros" / f"{name}.sql").read_text(encoding="utf-8")


def parse_model(text: str, schema: str, name: str) -> Model:
    """Read one file. Raises ContractError when its header is missing or says something unknown."""
    where = f"sql/{schema}/{name}.sql"
    match = _HEADER.match(text)
    if match is None:
        raise ContractError(f"{where} has no /* header */.")
    try:
        header: dict[str, Any] = tomllib.loads(match["toml"])
    except tomllib.TOMLDecodeError as error:
        raise ContractError(f"{where}: the header is no valid TOML: {error}.") from error
    unknown = set(header) - _KNOWN_KEYS
    if unknown or not str(header.get("description", "")).strip() or not header.get("columns"):
        missing = "unknown keys " + ", ".join(sorted(unknown)) if unknown else "description and [columns] are required"
        raise ContractError(f"{where}: {missing}.")
    if schema == "mart" and header.get("view"):
        raise ContractError(f"{where}: a table of the mart is published as it is stored, so it cannot be a view.")
    blank = [column for column, text in header["columns"].items() if not str(text).strip()]
    if blank:
        raise ContractError(f"{where}: nothing says what these columns mean: {', '.join(blank)}.")
    return Model(
        schema=schema,
        name=name,
        sql=match["sql"].strip().rstrip(";"),
        description=" ".join(header["description"].split()),
        columns={column: " ".join(text.split()) for column, text in header["columns"].items()},
        not_null=tuple(header.get("not_null", ())),
        unique=tuple(tuple(columns) for columns in header.get("unique", ())),
        asserts=dict(header.get("assert", {})),
        source=header.get("source"),
        stream=header.get("stream"),
        key=tuple(header.get("key", ())),
        version=header.get("version"),
        hidden=tuple(header.get("depends", ())),
        python=header.get("python"),
        view=header.get("view", False),
    )
