"""What every document shares: the base of its types, its head, rows as JSON values, instants, bytes.

What belongs here: how a row of a table becomes JSON, and the types that several documents use. What does not: any calculation
that a table already holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import duckdb
import msgspec
from msgspec import Meta

from mttr_pipeline.config.terms import Severity

SCHEMA_VERSION = 1
#: A JSON object as it is written and read. Its structure is declared by a `JsonObject`.
Document = dict[str, Any]

Count = Annotated[int, Meta(ge=0)]
Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$")]
WindowStart = Annotated[Instant | None, Meta(description="null = the whole history")]
PhaseModel = Literal["lifecycle", "coarse"]


class JsonObject(msgspec.Struct, forbid_unknown_fields=True):
    """The structure of one JSON object: every field is required, no other is allowed. A docstring is a description."""


class Head(JsonObject):
    """What every document begins with."""

    schema_version: Literal[1]
    as_of: Annotated[Instant, Meta(description="clock of the run")]
    definition_hash: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]


class Named(JsonObject):
    """What a list says of every incident: which one it is, where to open it, and whose it is."""

    incident_id: str
    source: str
    external_id: str
    key: str | None
    title: str | None
    url: str | None
    severity: Severity
    service: str
    team: str


class Survival(JsonObject):
    """Kaplan-Meier estimates of the time to recovery, in minutes, with 95 percent limits."""

    n_events: Annotated[Count, Meta(description="incidents that recovered")]
    n_open: Annotated[Count, Meta(description="censored incidents: open, or resolved by a timeout")]
    low_n: bool
    km_median: Annotated[float | None, Meta(description="typical recovery, minutes; null = not reached")]
    km_median_low: float | None
    km_median_high: float | None
    km_median_text: str | None
    km_p90: Annotated[float | None, Meta(description="bad day, minutes; null = not reached")]
    km_p90_low: float | None
    km_p90_high: float | None
    rmst_minutes: float | None
    rmst_low: float | None
    rmst_high: float | None
    is_rmst_bound: bool | None
    longest_minutes: Annotated[float | None, Meta(description="longest observation")]
    n_before_history: Annotated[
        Count, Meta(description="incidents left out: they began before the complete history of their source")
    ]


def preceded_by(*parts: type[JsonObject]) -> Callable[[type[JsonObject]], Any]:
    """A class decorator: the fields of `parts` come before those of the class.

    Inheritance alone puts inherited fields first, and a Struct cannot inherit from two that have fields. The order of fields
    is the order of the keys in the JSON.
    """

    def build(kind: type[JsonObject]) -> Any:
        fields = [(each.name, each.type) for part in (*parts, kind) for each in msgspec.structs.fields(part)]
        return msgspec.defstruct(
            kind.__name__, fields, bases=(JsonObject,), module=kind.__module__, namespace={"__doc__": kind.__doc__}
        )

    return build


def head(con: duckdb.DuckDBPyConnection) -> Document:
    """The three keys that every document begins with."""
    return {"schema_version": SCHEMA_VERSION, **query(con, "SELECT as_of, definition_hash FROM config.run")[0]}


def phase_model(con: duckdb.DuckDBPyConnection) -> str:
    """The phase model in use: `lifecycle` or `coarse`."""
    return query(con, "SELECT phase_model FROM core.phase_model")[0]["phase_model"]


def columns(kind: type[JsonObject]) -> str:
    """The fields of `kind` as the columns of a SELECT, by their names in the JSON."""
    return ", ".join(f'"{name}"' for name in kind.__struct_encode_fields__)


def by_name(column: str) -> str:
    """What ORDER BY says so that names stand as in a dictionary: capitals decide only between names that are alike without them."""
    return f"lower({column}), {column}"


def rows(
    con: duckdb.DuckDBPyConnection, kind: type[JsonObject], source: str, values: list[Any] | None = None
) -> list[Document]:
    """One object with the fields of `kind` per row of `source`: a FROM clause and what follows it."""
    return query(con, f"SELECT {columns(kind)} {source}", values)


def query(con: duckdb.DuckDBPyConnection, text: str, values: list[Any] | None = None) -> list[Document]:
    """One object per row of a query: instants as text, everything else as DuckDB returns it."""
    cursor = con.execute(text, values or [])
    names = [column[0] for column in cursor.description or []]
    return [{name: _json(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def instant_text(value: datetime) -> str:
    """ISO 8601 with Z. A datetime without a zone is UTC."""
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def dumps(document: Document) -> str:
    """The document as text: the same content always gives the same bytes."""
    # json indents with Python's own code only, which takes several times as long.
    return msgspec.json.format(json.dumps(document, ensure_ascii=False, allow_nan=False), indent=2) + "\n"


def _json(value: Any) -> Any:
    return instant_text(value) if isinstance(value, datetime) else value
