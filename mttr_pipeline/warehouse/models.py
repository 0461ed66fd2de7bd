"""The SQL files: one file = one table, a bare SELECT under a TOML header that documents it.

    /*
    description = "One row per real incident."
    published = true
    not_null = ["incident_id"]
    unique = [["incident_id"]]
    [columns]
    incident_id = "stable id ..."
    [assert]
    window_is_ordered = "window_start < window_end"
    */
    SELECT ...

A file's folder is its layer and the schema of its table. A table depends on its own layer and on earlier ones, never on a later
one; what it depends on is read from the schema-qualified names in its SELECT, so it cannot be misstated. A `published` table is
stored in the file that readers get, whatever its layer is. A published view stands there too: it selects from published tables
only, and what is configured is written into it for `${...}`, as into the macros of readers (`database`).

A table that passes on columns of another one does not repeat what they mean: with `like = "core.incidents"` a column written
`title = "="` takes the text of that column. A header with `like` and without [columns] describes a table of the same columns, and
takes over not_null and [assert] too. In `raw`, one without a SELECT has the same SELECT as well, over the stream that it is named
after.

Where SQL says it badly, the header names a function, `python = "mttr_pipeline.metrics.estimates:compute"`, and the SELECT reads
what it returns under the name `computed`. What the function reads is listed in `depends`.

The tables of a source stand in `raw/<source>/` and `staging/<source>/`, are called `<account>_<file>` and are made once for every
account of the source; `${source}` in them is the name of the account. What several sources share stands in a folder named after
a trait that they declare, such as `raw/pulled/`. `gathering` puts together what all of them yield.

What belongs here: reading one file and what a table is. Reading them all and ordering them is `catalog`'s work, running them
`database`'s.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mttr_pipeline.config.places import sql_folder
from mttr_pipeline.errors import ContractError

if TYPE_CHECKING:
    import duckdb

#: The layers, in the order in which the data passes them.
SCHEMAS = ("raw", "staging", "core", "facts", "figures", "mart")
#: Where published tables are stored.
MART = "mart"
_HEADER = re.compile(r"\A\s*/\*(?P<toml>.*?)\*/(?P<sql>.*)\Z", re.DOTALL)
REFERENCE = re.compile(rf"\b(?P<schema>{'|'.join(SCHEMAS)})\.(?P<table>[a-z_0-9]+)\b")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
#: The text of a column that means what it means in the table that `like` names.
SAME = "="
_KEYS = {
    *("description", "columns", "like", "types", "optional", "published", "gathered", "yields", "inbox", "depends"),
    *("not_null", "unique", "assert", "key", "version", "by_record", "python", "view"),
}


@dataclass(frozen=True)
class Model:
    """One table: where it lives, what it means, the SELECT that makes it and what must hold for it.

    `account` is the account whose payloads it is made of, None for tables of all sources. `source`, `stream`, `key`,
    `version` and `by_record` are set for raw tables only: which landed stream is read, what identifies a record in it, which column
    tells the newer of two, and whether each row is made of one record alone, so that files may be read one after the other.
    `hidden` are tables it reads through a macro or through `python`, the function that makes `computed`. A `view` is stored nowhere.
    `like` is the table whose column texts this one takes over. `yields` names the gathered table that it is a part of; `gathered`
    marks that table itself, whose `types` and columns every part owes, but for the `optional` ones.
    """

    schema: str
    name: str
    sql: str
    description: str
    columns: dict[str, str]
    where: str = ""
    not_null: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    asserts: dict[str, str] = field(default_factory=dict)
    account: str | None = None
    source: str | None = None
    stream: str | None = None
    key: tuple[str, ...] = ()
    version: str | None = None
    by_record: bool = False
    hidden: tuple[str, ...] = ()
    python: str | None = None
    like: str | None = None
    view: bool = False
    published: bool = False
    yields: str | None = None
    gathered: bool = False
    types: dict[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """`<layer>.<name>`, as SQL files name it."""
        return f"{self.schema}.{self.name}"

    @property
    def place(self) -> str:
        """Where it is stored: published tables stand in the file of the mart."""
        return f"{MART}.{self.name}" if self.published else self.table

    @property
    def kind(self) -> str:
        """What SQL calls it: TABLE or VIEW."""
        return "VIEW" if self.view else "TABLE"

    @cached_property
    def depends(self) -> tuple[str, ...]:
        """Tables this one selects from, as `schema.name`, sorted."""
        found = {f"{m['schema']}.{m['table']}" for m in REFERENCE.finditer(_COMMENT.sub(" ", self.sql))}
        return tuple(sorted(found.union(self.hidden) - {self.table}))

    def function(self) -> Callable[[duckdb.DuckDBPyConnection], dict[str, Any]] | None:
        """What makes `computed`, as columns. Raises ContractError when the header names nothing that can be called."""
        if self.python is None:
            return None
        module, _, name = self.python.partition(":")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ContractError(f"{self.where}: python = {self.python!r} is not there: {error}.") from error
        return cast("Callable[[duckdb.DuckDBPyConnection], dict[str, Any]]", found)

    def compare_columns(self, produced: Iterable[str]) -> None:
        """Raises ContractError unless these columns of the built table are the documented ones. A raw table is stored without
        `reject_reason`."""
        found = list(produced)
        documented = [name for name in self.columns if name != "reject_reason" or self.schema != "raw"]
        if found != documented:
            raise ContractError(
                f"{self.table} has the columns {', '.join(found)}, but its header documents {', '.join(documented)}."
            )

    def promises(self) -> dict[str, str]:
        """Check name -> what it promises: no NULLs, unique keys and the header's own assertions."""
        found = {"not_null": f"never NULL: {', '.join(self.not_null)}"} if self.not_null else {}
        found |= {f"unique_{'_'.join(columns)}": f"({', '.join(columns)}) is unique" for columns in self.unique}
        return found | self.asserts


def load_macros(name: str, folder: Path | None = None) -> str:
    """The CREATE MACRO statements of `macros/<name>.sql`; nothing where there is no such file."""
    path = (folder or sql_folder()) / "macros" / f"{name}.sql"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def parse_model(text: str, schema: str, name: str, *, where: str | None = None, account: str | None = None) -> Model:
    """Read one file. `account` makes it a table of that account. Raises ContractError when its header is missing or wrong."""
    where = where or f"sql/{schema}/{name}.sql"
    if account is not None:
        text = text.replace("${source}", account)
    match = _HEADER.match(text)
    if match is None:
        raise ContractError(f"{where} has no /* header */.")
    try:
        header: dict[str, Any] = tomllib.loads(match["toml"])
    except tomllib.TOMLDecodeError as error:
        raise ContractError(f"{where}: the header is no valid TOML: {error}.") from error
    _check_header(header, schema, where)
    raw = schema == "raw"
    if not match["sql"].strip() and not header.get("gathered") and not (raw and header.get("like")):
        raise ContractError(f"{where} has no SELECT below its header.")
    return Model(
        schema=schema,
        name=f"{account}_{name}" if account else name,
        sql=match["sql"].strip().rstrip(";"),
        description=" ".join(header["description"].split()),
        columns={column: " ".join(text.split()) for column, text in header.get("columns", {}).items()},
        where=where,
        not_null=tuple(header.get("not_null", ())),
        unique=tuple(tuple(columns) for columns in header.get("unique", ())),
        asserts=dict(header.get("assert", {})),
        account=account,
        source=("inbox" if header.get("inbox") else account) if raw else None,
        stream=(account if header.get("inbox") else name) if raw else None,
        key=tuple(header.get("key", ())),
        version=header.get("version"),
        by_record=header.get("by_record", False),
        hidden=tuple(header.get("depends", ())),
        python=header.get("python"),
        like=header.get("like"),
        view=header.get("view", False) or header.get("gathered", False),
        published=header.get("published", False),
        yields=header.get("yields"),
        gathered=header.get("gathered", False),
        types=dict(header.get("types", {})),
        optional=tuple(header.get("optional", ())),
    )


def _check_header(header: Mapping[str, Any], schema: str, where: str) -> None:
    unknown, columns = set(header) - _KEYS, header.get("columns", {})
    if unknown or not str(header.get("description", "")).strip() or not (columns or header.get("like")):
        missing = "unknown keys " + ", ".join(sorted(unknown)) if unknown else "description and [columns] are required"
        raise ContractError(f"{where}: {missing}.")
    if header.get("published") and header.get("gathered"):
        raise ContractError(f"{where}: a gathered table reads tables of sources, so it cannot be published.")
    if schema == MART and not header.get("published"):
        raise ContractError(f"{where}: the mart is what readers get; write published = true.")
    if header.get("gathered") and set(header.get("types", ())) != set(columns):
        raise ContractError(f"{where}: a gathered table needs the type of each of its columns in [types].")
    blank = [column for column, text in columns.items() if not str(text).strip()]
    if blank:
        raise ContractError(f"{where}: the header does not say what these columns mean: {', '.join(blank)}.")
    same = [column for column, text in columns.items() if text == SAME]
    if same and not header.get("like"):
        raise ContractError(
            f"{where}: these columns mean the same as in another table, but `like` names none: {', '.join(same)}."
        )
